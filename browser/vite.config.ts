import tailwindcss from '@tailwindcss/vite';
import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  plugins: [react(), tailwindcss()],
  // Fingerprinted names: the control plane serves /assets as immutable.
  build: {
    outDir: 'dist',
    target: 'es2022',
    sourcemap: true,
    rollupOptions: { input: ['index.html', 'reference.html'] },
  },
  worker: { format: 'es' },
  // The default of 5 seconds fails what is right on a busy machine; this only ends what hangs.
  test: { testTimeout: 60_000 },
});
