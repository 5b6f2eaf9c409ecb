// The official JavaScript client, driven over standard input: one JSON request per line, one JSON answer per line.
//
// The client is built as its documentation says (token credential, token credential provider, `customHosts`). A hook
// under it keeps every exchange as bytes, so that the judge sees the wire and not what the client made of it.

import { createInterface } from "node:readline";
import { AsyncLocalStorage } from "node:async_hooks";
import { createRequire } from "node:module";

const load = createRequire(`${process.env.ANTIPHON_NODE_MODULES}/`);
const exchanges = new AsyncLocalStorage();
const plain = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const request = new Request(input, init);
  const headers = Object.fromEntries(request.headers);
  const response = await plain(request);
  const body = Buffer.from(await response.clone().arrayBuffer()).toString("hex");
  if (response.status === 429) process.stdout.write(`${JSON.stringify({ throttled: request.url })}\n`);
  exchanges.getStore()?.push({
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body,
    request: { url: request.url, headers },
  });
  return response;
};

const { Client, ResponseType } = load("@microsoft/microsoft-graph-client");
const { TokenCredentialAuthenticationProvider } = load(
  "@microsoft/microsoft-graph-client/authProviders/azureTokenCredentials/index.js",
);
const { ClientSecretCredential } = load("@azure/identity");
const settings = JSON.parse(process.env.ANTIPHON_INTEROP);

function credential(secret) {
  return new ClientSecretCredential(settings.tenant, settings.app, secret, {
    authorityHost: settings.host,
    disableInstanceDiscovery: true,
  });
}

const graphScope = ["https://graph.microsoft.com/.default"];
const authProvider = new TokenCredentialAuthenticationProvider(credential(settings.secret), { scopes: graphScope });
const options = { authProvider, baseUrl: `${settings.host}/`, customHosts: new Set([new URL(settings.host).hostname]) };
const client = Client.initWithMiddleware(options);

async function request(ask) {
  const call = client.api(ask.path).version(ask.version);
  for (const [name, value] of Object.entries(ask.headers)) call.header(name, value);
  if (ask.picture) call.responseType(ResponseType.ARRAYBUFFER);
  const body = ask.body ?? undefined;
  const value = await { GET: () => call.get(), DELETE: () => call.delete(), POST: () => call.post(body), PATCH: () => call.patch(body),
    PUT: () => call.put(body) }[ask.method]();
  if (value instanceof ArrayBuffer) return Buffer.from(value).toString("hex");
  if (value instanceof ReadableStream) return (await new Response(value).text()) || undefined; // what it makes of an untyped answer
  return value;
}

// A token as a bot gets it: by this scope, with this secret.
async function token(ask) {
  const found = await credential(ask.secret ?? settings.secret).getToken(ask.scope);
  return { token: found.token, expires: found.expiresOnTimestamp };
}

// An example of the reference pages, by name; see doc_examples.mjs.
async function example(ask) {
  const examples = await import("./doc_examples.mjs");
  return examples[ask.name](examples.shim(Client, options), authProvider, ask.values);
}

async function answer(ask) {
  const wire = [];
  const answer = { id: ask.id };
  try {
    answer.value = await exchanges.run(wire, () => ({ request, token, example })[ask.do](ask));
  } catch (error) {
    if (ask.do !== "token" && error?.statusCode > 0) {
      answer.error = { code: error.code, message: error.message, requestId: error.requestId, status: error.statusCode };
    } else {
      answer.crash = `${error?.name}: ${error?.message}`;
    }
  }
  answer.tries = wire.length;
  answer.wire = wire.at(-1);
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

createInterface({ input: process.stdin }).on("line", (line) => answer(JSON.parse(line)));
