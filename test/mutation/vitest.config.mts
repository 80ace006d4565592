/**
 * The unit tests as the mutator runs them: each spec in a thread of its own. Specs that share their modules would
 * also share what they have reached.
 */
import type { ViteUserConfig } from 'vitest/config';
import base from '../../vitest.config.mjs';

const { projects: _projects, ...test } = base.test ?? {};

const config: ViteUserConfig = { ...base, test };

export default config;
