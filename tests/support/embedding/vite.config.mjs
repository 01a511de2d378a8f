/** All that an integrator's own build needs for the SDK: its worker is a module. */
export default { build: { target: 'es2022' }, worker: { format: 'es' } };
