import fc from 'fast-check';

// The same cases in every run, so that a failure is never luck; FAST_CHECK_SEED looks for others.
fc.configureGlobal({ seed: Number(process.env['FAST_CHECK_SEED'] ?? 20_261_123) });
