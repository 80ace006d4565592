/** `npm run coverage`: what the unit tests cover, for each room of the library, and whether that is enough. */
import { mergeConfig } from 'vitest/config';
import base from '../../vitest.config.mjs';
import { BRANCH_THRESHOLDS } from './room-coverage.js';
import { RoomReporter } from './room-reporter.js';

const root = new URL('../..', import.meta.url).pathname;

export default mergeConfig(base, {
  root,
  test: {
    reporters: ['default', new RoomReporter()],
    coverage: {
      enabled: true,
      provider: 'v8',
      include: ['lib/**/*.ts'],
      reporter: ['html'],
      thresholds: Object.fromEntries(
        Object.entries(BRANCH_THRESHOLDS).map(([room, branches]) => [
          `lib/${room}/**`,
          { branches },
        ]),
      ),
    },
  },
});
