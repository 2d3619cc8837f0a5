import { domainError, type DomainErrorClass } from '#platform/domain-error';
import type { FaceRefusal } from '#faces/face-analysis';

export class GalleryNotFound extends domainError({
  code: 'gallery_not_found',
  status: 404,
  title: 'No such gallery',
  detail: 'Use the id of a gallery that this client created.',
}) {}

export class GalleryNameTaken extends domainError({
  code: 'gallery_name_taken',
  status: 409,
  title: 'Another gallery has this name',
  detail: 'Choose another name, or use the existing gallery.',
}) {}

export class TemplateNotFound extends domainError({
  code: 'template_not_found',
  status: 404,
  title: 'No such template',
  detail: 'Use the id of a template of this subject in this gallery.',
}) {}

export class SubjectNotEnrolled extends domainError({
  code: 'subject_not_enrolled',
  status: 404,
  title: 'The subject has no template in this gallery',
  detail: 'Enrol the subject in this gallery first.',
}) {}

export class TemplateTampered extends domainError({
  code: 'template_tampered',
  status: 409,
  title: 'What is stored of the template was changed',
  detail: 'Nothing was compared. Tell the operator of this Velum: the database was changed by someone else.',
}) {}

export class TooManyTemplates extends domainError({
  code: 'too_many_templates',
  status: 409,
  title: 'The subject has as many templates in this gallery as it may have',
  detail: 'Delete one of its templates before another is enrolled.',
}) {}

export class UnknownModel extends domainError({
  code: 'unknown_model',
  status: 422,
  title: 'The model needs a dimension',
  detail: 'Name a model of GET /v1/models, or give the dimension (64 to 2048) of your own model.',
}) {}

export class UnknownThreshold extends domainError({
  code: 'unknown_threshold',
  status: 422,
  title: "The model's card has no threshold for this rate",
  detail: "Use a false match rate of the model's card (GET /v1/models), or give the threshold as a cosine.",
}) {}

export class ModelCannotEmbed extends domainError({
  code: 'model_cannot_embed',
  status: 422,
  title: "Velum cannot compute this gallery's embeddings",
  detail: 'Send an embedding made by the model of the gallery instead of a photograph.',
}) {}

export class EmbeddingInvalid extends domainError({
  code: 'embedding_invalid',
  status: 422,
  title: 'The embedding is not valid',
  detail: "Send finite numbers, not all zero, as many as the gallery's dimension.",
}) {}

export class SpoofSuspected extends domainError({
  code: 'spoof_suspected',
  status: 422,
  title: 'The photograph may show a picture of a face',
  detail: 'Take a new photograph of the living person, in even light.',
}) {}

export class GalleryLoading extends domainError({
  code: 'gallery_loading',
  status: 503,
  title: 'The gallery is being loaded into memory',
  detail: 'Nothing was matched. The loading goes on: send the request again after the time in Retry-After.',
  retryAfterSeconds: 2,
}) {}

export class FacesBusy extends domainError({
  code: 'faces_busy',
  status: 503,
  title: 'Too many photographs are being analysed',
  detail: 'Send the request again after the time in Retry-After.',
  retryAfterSeconds: 1,
}) {}

class NoFace extends domainError({
  code: 'no_face',
  status: 422,
  title: 'No face was found',
  detail: 'Send a photograph in which one face is seen from the front.',
}) {}

class SeveralFaces extends domainError({
  code: 'several_faces',
  status: 422,
  title: 'Several faces were found',
  detail: 'Cut the photograph so that it shows the one face that is meant.',
}) {}

class FaceTooSmall extends domainError({
  code: 'face_too_small',
  status: 422,
  title: 'The face is too small',
  detail: 'Come nearer, or send a larger photograph: the eyes must be at least 20 pixels apart.',
}) {}

class TurnedAway extends domainError({
  code: 'turned_away',
  status: 422,
  title: 'The face is turned away',
  detail: 'Look into the camera: the head may be turned by at most 30 degrees.',
}) {}

class TooDark extends domainError({
  code: 'too_dark',
  status: 422,
  title: 'The face is too dark',
  detail: 'Take the photograph in more light.',
}) {}

class Blurred extends domainError({
  code: 'blurred',
  status: 422,
  title: 'The face is blurred',
  detail: 'Hold the camera still, clean its lens and take another photograph.',
}) {}

class UnsupportedImage extends domainError({
  code: 'unsupported_image',
  status: 415,
  title: 'The file is not an image of a supported kind',
  detail: 'Send a JPEG, PNG or WebP.',
}) {}

export class ImageTooLarge extends domainError({
  code: 'image_too_large',
  status: 413,
  title: 'The image is too large',
  detail: 'Send at most 10 MB and 40 megapixels.',
}) {}

class ImageUnreadable extends domainError({
  code: 'image_unreadable',
  status: 422,
  title: 'The image cannot be read',
  detail: 'The file is cut off or damaged: send it again, or save it anew.',
}) {}

export class TemplateOnHold extends domainError({
  code: 'template_on_hold',
  status: 409,
  title: 'The template is on hold and cannot be erased',
  detail: 'Withdraw the consent to end every match with it, or have an officer release the hold.',
}) {}

export class GalleryHoldsData extends domainError({
  code: 'gallery_holds_data',
  status: 409,
  title: 'The gallery has data that must not be destroyed yet',
  detail: 'Wait for the dates of GET /v1/admin/retention/due, or have an officer release the holds.',
}) {}

export class KeyRotationUnderWay extends domainError({
  code: 'key_rotation_under_way',
  status: 409,
  title: 'The gallery is getting new keys already',
  detail:
    'Wait until GET /v1/admin/galleries/{galleryId}/key-rotations says that it has ended, then ask again.',
}) {}

export class KeyRotationNotFound extends domainError({
  code: 'key_rotation_not_found',
  status: 404,
  title: 'There is no such key rotation',
  detail: 'List the rotations of the gallery with GET /v1/admin/galleries/{galleryId}/key-rotations.',
}) {}

/** One error for each reason for which the face pipeline refuses an image. */
export const FACE_REFUSED: Readonly<Record<FaceRefusal, DomainErrorClass>> = {
  no_face: NoFace,
  several_faces: SeveralFaces,
  face_too_small: FaceTooSmall,
  turned_away: TurnedAway,
  too_dark: TooDark,
  blurred: Blurred,
  unsupported_image: UnsupportedImage,
  image_too_large: ImageTooLarge,
  image_unreadable: ImageUnreadable,
};

/** What can be wrong with the photograph or embedding that a call brings. */
export const SAMPLE_ERRORS: readonly DomainErrorClass[] = [
  ...Object.values(FACE_REFUSED),
  ModelCannotEmbed,
  EmbeddingInvalid,
  SpoofSuspected,
  GalleryLoading,
  FacesBusy,
];

export const BIOMETRICS_ERRORS: readonly DomainErrorClass[] = [
  GalleryNotFound,
  GalleryNameTaken,
  TemplateNotFound,
  SubjectNotEnrolled,
  TemplateTampered,
  TooManyTemplates,
  UnknownModel,
  UnknownThreshold,
  TemplateOnHold,
  GalleryHoldsData,
  KeyRotationUnderWay,
  KeyRotationNotFound,
  ...SAMPLE_ERRORS,
];
