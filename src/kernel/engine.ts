/** What the JavaScript engine must be told. Imported for its effect, by whoever calls WebAssembly. */
import { setFlagsFromString } from 'node:v8';

// V8 of Node 20 builds calls of WebAssembly into the optimised code of their callers, and ends the process
// ("unreachable code", in its deoptimizer) when it must leave that code in the middle of such a call.
setFlagsFromString('--no-turbo-inline-js-wasm-calls');
