import type { OfficerId } from '#platform/ids';

/** What a login or a renewal answers. */
export interface OfficerSession {
  readonly officerId: OfficerId;
  readonly accessToken: string;
  readonly tokenType: 'Bearer';
  readonly expiresIn: number;
  readonly scope: string;
  /** Gets the next access token, once; with it comes the next of these. */
  readonly sessionToken: string;
  readonly sessionExpiresAt: Date;
}
