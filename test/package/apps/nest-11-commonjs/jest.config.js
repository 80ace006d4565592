module.exports = {
  testEnvironment: 'node',
  roots: ['src'],
  transform: { '^.+\\.(t|j)s$': ['ts-jest', { tsconfig: 'tsconfig.spec.json' }] },
  // Jest loads packages as CommonJS: this one is translated like the application's own files.
  transformIgnorePatterns: ['/node_modules/(?!nestjs-grpc-discovery/)'],
};
