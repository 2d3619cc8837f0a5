/** What a client app needs of HTTP: a token and JSON. */
export class DemoClient {
  private constructor(
    private readonly url: string,
    readonly token: string,
  ) {}

  static async connect(url: string, clientId: string, clientSecret: string): Promise<DemoClient> {
    const basic = Buffer.from(`${clientId}:${clientSecret}`).toString('base64');
    const response = await fetch(`${url}/oauth/token`, {
      method: 'POST',
      headers: { authorization: `Basic ${basic}` },
      body: new URLSearchParams({ grant_type: 'client_credentials' }),
    });
    const { access_token: token } = await json<{ access_token: string }>(response);
    return new DemoClient(url, token);
  }

  async get<R>(path: string): Promise<R> {
    return expectOk<R>(await this.send('GET', path));
  }

  async post<R>(path: string, body: object | FormData = {}): Promise<R> {
    return expectOk<R>(await this.send('POST', path, body));
  }

  async delete(path: string): Promise<void> {
    await expectOk(await this.send('DELETE', path));
  }

  /** The code of the problem that the call is answered with. */
  async refused(path: string, body: object | FormData): Promise<{ status: number; code: string }> {
    const response = await this.send('POST', path, body);
    if (response.ok) throw new Error(`POST ${path} was expected to be refused`);
    return json<{ status: number; code: string }>(response);
  }

  private send(method: string, path: string, body?: object | FormData): Promise<Response> {
    const form = body instanceof FormData;
    return fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.token}`,
        ...(body === undefined || form ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) }),
    });
  }
}

export function photoForm(field: 'photo' | 'photos', photos: readonly Buffer[]): FormData {
  const form = new FormData();
  photos.forEach((photo, i) => form.append(field, new Blob([new Uint8Array(photo)]), `photo-${i + 1}.jpg`));
  return form;
}

async function expectOk<R>(response: Response): Promise<R> {
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${await response.text()}`);
  return json<R>(response);
}

async function json<R>(response: Response): Promise<R> {
  const text = await response.text();
  return text === '' ? JSON.parse('null') : JSON.parse(text);
}
