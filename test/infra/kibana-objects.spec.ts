import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Json } from '../harness/test-client.js';

describe.each(['app', 'nginx', 'security'])('the dashboard of %s', (stream) => {
  const objects: Json[] = readFileSync(`infra/kibana/${stream}.ndjson`, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const of = (type: string): Json[] => objects.filter((object) => object.type === type);
  const template = JSON.parse(
    readFileSync(`infra/elasticsearch/templates/facial-api-${stream}.json`, 'utf8'),
  );
  const properties: Json = template.template.mappings.properties;

  test('has a data view of its stream', () => {
    expect(of('index-pattern').map(({ attributes }) => [attributes.title, attributes.timeFieldName])).toEqual(
      [[`facial-api-${stream}`, '@timestamp']],
    );
  });

  test('has only references that resolve, and names each object once', () => {
    const keys = objects.map(({ type, id }) => `${type}/${id}`);
    expect(new Set(keys).size).toBe(keys.length);
    for (const { references } of objects) {
      for (const { type, id } of references) expect(keys).toContain(`${type}/${id}`);
    }
  });

  test('asks for fields that Elasticsearch has, by operations that suit their types', () => {
    const suits: Record<string, readonly string[]> = {
      date_histogram: ['date'],
      terms: ['keyword', 'short', 'integer', 'long'],
      percentile: ['float', 'short', 'integer', 'long'],
      sum: ['float', 'short', 'integer', 'long'],
      unique_count: ['keyword'],
    };
    for (const { attributes, references } of of('lens')) {
      const [[layer, { columns, columnOrder }]] = Object.entries<Json>(
        attributes.state.datasourceStates.formBased.layers,
      ) as [[string, Json]];
      expect(references.map(({ name }: Json) => name)).toEqual([`indexpattern-datasource-layer-${layer}`]);
      expect(new Set(columnOrder)).toEqual(new Set(Object.keys(columns)));
      for (const { operationType, sourceField, params } of Object.values<Json>(columns)) {
        if (operationType === 'count') expect(sourceField).toBe('___records___');
        else expect(suits[operationType]).toContain(properties[sourceField]?.type);
        if (params?.orderBy !== undefined) expect(Object.keys(columns)).toContain(params.orderBy.columnId);
      }
      const { layers = [attributes.state.visualization] } = attributes.state.visualization;
      const shown = layers.flatMap((each: Json) => [
        each.layerId === layer ? [] : 'another layer',
        each.xAccessor ?? [],
        each.splitAccessor ?? [],
        each.accessors ?? [],
        (each.columns ?? []).map(({ columnId }: Json) => columnId),
      ]);
      for (const column of shown.flat(2)) expect(Object.keys(columns)).toContain(column);
    }
    const queries = [...of('lens'), ...of('search')].map(({ attributes }) =>
      attributes.state === undefined
        ? JSON.parse(attributes.kibanaSavedObjectMeta.searchSourceJSON).query.query
        : attributes.state.query.query,
    );
    for (const query of queries) {
      for (const [, field] of query.matchAll(/(\w+) (?::|>=)/g))
        expect(Object.keys(properties)).toContain(field);
    }
    for (const { attributes } of of('search')) {
      for (const column of attributes.columns) expect(Object.keys(properties)).toContain(column);
    }
  });

  test('shows each of them once, without one covering another', () => {
    const [{ attributes, references }] = of('dashboard') as [Json];
    const panels: Json[] = JSON.parse(attributes.panelsJSON);
    expect(panels.map(({ panelIndex, panelRefName }) => `${panelIndex}:${panelRefName}`).sort()).toEqual(
      references.map(({ name }: Json) => name).sort(),
    );
    expect(panels).toHaveLength(of('lens').length + of('search').length);
    const taken = new Set<string>();
    for (const { x, y, w, h } of panels.map(({ gridData }) => gridData)) {
      expect(x + w).toBeLessThanOrEqual(48);
      for (let i = x; i < x + w; i++) {
        for (let j = y; j < y + h; j++) {
          expect(taken).not.toContain(`${i},${j}`);
          taken.add(`${i},${j}`);
        }
      }
    }
  });
});
