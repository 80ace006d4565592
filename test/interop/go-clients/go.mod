module goclients
