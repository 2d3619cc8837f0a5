/** DESIGN.md section 5; a client may use further purposes of its own, spelled the same way. */
export const PURPOSES = ['authentication', 'access_control', 'identification', 'audit'] as const;

export const PURPOSE_PATTERN = /^[a-z][a-z0-9_]{1,63}$/;
