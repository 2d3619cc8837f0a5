// The auditor's file, for our own command and tests: there is no second implementation.
export {
  COSIGNATURE,
  cosignedMessage,
  ED25519,
  keyId,
  main,
  openCheckpoint,
  parseVkey,
  trustedCheckpoint,
  verifyConsistency,
  verifyExport,
  vkeyOf,
} from './verifier/verify-audit.mjs';
