package main

import (
	"encoding/json"
	"os"
	"sync"
)

// event is one line of output; its "event" field names it.
type event map[string]any

var outputLock sync.Mutex

// emit writes one event as a line of JSON.
func emit(e event) {
	line, err := json.Marshal(e)
	if err != nil {
		panic(err)
	}
	outputLock.Lock()
	defer outputLock.Unlock()
	_, _ = os.Stdout.Write(append(line, '\n'))
}
