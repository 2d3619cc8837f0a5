export interface EmbeddingModelCard {
  readonly id: string;
  readonly dimension: number;
  /** Cosine at and above which two templates match, by target false match rate; measured by `npm run bench:accuracy`, through the engine. */
  readonly thresholds: readonly { readonly falseMatchRate: number; readonly cosine: number }[];
  readonly card: string;
}

/** dlib's ResNet-29 on chips aligned by Human's mesh. Its figures and limits: docs/models/dlib-resnet-v1.md. */
export const DLIB_RESNET: EmbeddingModelCard = {
  id: 'dlib-resnet-v1',
  dimension: 128,
  thresholds: [
    { falseMatchRate: 1e-2, cosine: 0.9115 },
    { falseMatchRate: 1e-3, cosine: 0.9292 },
    { falseMatchRate: 1e-4, cosine: 0.9433 },
  ],
  card: 'docs/models/dlib-resnet-v1.md',
};

/** The models that can embed photographs. Galleries of any other model take embeddings only. */
export const EMBEDDING_MODELS: readonly EmbeddingModelCard[] = [DLIB_RESNET];

export function findModel(id: string): EmbeddingModelCard | undefined {
  return EMBEDDING_MODELS.find((model) => model.id === id);
}

/** The cosine for a target false match rate, if the card has measured that rate. */
export function thresholdFor(model: EmbeddingModelCard, falseMatchRate: number): number | undefined {
  return model.thresholds.find((threshold) => threshold.falseMatchRate === falseMatchRate)?.cosine;
}
