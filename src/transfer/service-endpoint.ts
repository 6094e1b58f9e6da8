import { TransferError } from './failure.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/** Where a table is, and the credentials to ask for it. */
export interface Endpoint {
  readonly url: URL;
  readonly region: string;
  readonly credentials: { accessKeyId: string; secretAccessKey: string; sessionToken?: string };
}

const DEFAULT_URL = 'http://127.0.0.1:8000';
const DEFAULT_REGION = 'us-east-1';
/** `dynamodb.eu-west-1.amazonaws.com`, with its FIPS, dual-stack, China and VPC forms. */
const SERVICE_HOST = /(?:^|\.)dynamodb(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?(?:amazonaws\.com(?:\.cn)?|api\.aws)$/;

/** The variables in which SDKs and other tools look for an endpoint, in their order. */
const URL_VARIABLES = ['AWS_ENDPOINT_URL_DYNAMODB', 'AWS_ENDPOINT_URL', 'DYNAMODB_ENDPOINT'];

/** The endpoint of `--endpoint`, or else of one of the user's variables. @throws TransferError */
export function endpointOfUser(url: string | undefined, region: string | undefined, env: Variables): Endpoint {
  const variable = url === undefined ? URL_VARIABLES.find((name) => env[name]) : undefined;
  return endpointOf(variable ?? '--endpoint', url ?? (variable && env[variable]) ?? DEFAULT_URL, region, env);
}

/** The service's own endpoint in a region. */
export function serviceUrl(region: string): string {
  return `https://dynamodb.${region}.amazonaws.com${region.startsWith('cn-') ? '.cn' : ''}`;
}

/**
 * Completes an endpoint from the environment. Servers other than the service accept any credentials, so some are made
 * up for them if there are none.
 * @param flag the option or variable that named the URL, for errors
 * @throws TransferError
 */
export function endpointOf(flag: string, text: string, region: string | undefined, env: Variables): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol)) {
    throw new TransferError(`${flag} must be a URL such as ${DEFAULT_URL}, not ${JSON.stringify(text)}`);
  }
  if (url.pathname !== '/' || url.search !== '') {
    throw new TransferError(`${flag} ${text} must be a server's address alone, without a path`);
  }
  const ofHost = SERVICE_HOST.exec(url.hostname)?.[1];
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN } = env;
  const hasCredentials = Boolean(AWS_ACCESS_KEY_ID && AWS_SECRET_ACCESS_KEY);
  if (!hasCredentials && ofHost !== undefined) {
    throw new TransferError(
      `${url.host} needs credentials in AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if they are temporary, AWS_SESSION_TOKEN`,
    );
  }
  return {
    url,
    region: region ?? ofHost ?? (env.AWS_REGION || env.AWS_DEFAULT_REGION || DEFAULT_REGION),
    credentials: hasCredentials
      ? {
          accessKeyId: AWS_ACCESS_KEY_ID!,
          secretAccessKey: AWS_SECRET_ACCESS_KEY!,
          ...(AWS_SESSION_TOKEN && { sessionToken: AWS_SESSION_TOKEN }),
        }
      : { accessKeyId: 'local', secretAccessKey: 'local' },
  };
}
