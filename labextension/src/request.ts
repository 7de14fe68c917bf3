import { URLExt } from '@jupyterlab/coreutils';
import { ServerConnection } from '@jupyterlab/services';

const NAMESPACE = 'deploy-magics';

/** An answer that is not a success; `message` is one line for the user. */
export class RequestError extends Error {
  constructor(
    message: string,
    readonly status: number | null
  ) {
    super(message);
    this.name = 'RequestError';
  }

  /** Nobody answered, as opposed to an answer that says no. */
  get unreachable(): boolean {
    return this.status === null;
  }
}

export const MISSING_EXTENSION =
  'Jupyter answers, but without the deploy_magics server extension. ' +
  'Install deploy_magics in the environment that Jupyter runs in, check ' +
  '`jupyter server extension list`, and start Jupyter again.';

/** The one way to the server extension. */
export async function request<T>(
  path: string,
  method: 'GET' | 'POST' | 'DELETE' = 'GET',
  body?: object,
  signal?: AbortSignal
): Promise<T> {
  const settings = ServerConnection.makeSettings();
  const url = URLExt.join(settings.baseUrl, NAMESPACE, path);
  let response: Response;
  try {
    response = await ServerConnection.makeRequest(
      url,
      { method, body: body && JSON.stringify(body), signal },
      settings
    );
  } catch (error) {
    throw new RequestError(`Jupyter does not answer: ${messageOf(error)}`, null);
  }
  const text = await response.text();
  const data = parse(text);
  if (response.ok) {
    return data as T;
  }
  const said = errorIn(data);
  if (response.status === 404 && said === null) {
    throw new RequestError(MISSING_EXTENSION, 404);
  }
  throw new RequestError(said ?? `Jupyter answered ${response.status}.`, response.status);
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function parse(text: string): unknown {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return null;
  }
}

function errorIn(data: unknown): string | null {
  if (typeof data === 'object' && data !== null && 'error' in data) {
    return String((data as { error: unknown }).error);
  }
  return null;
}
