// A process of its own: an authorization server that says yes, and an API with one small document.
import { createServer } from 'node:http';

const document = JSON.stringify({ id: 'a', children: Array(20).fill({ id: 'b', name: 'a name' }) });
let tokenRequests = 0;

const server = createServer((request, response) => {
  const url = new URL(request.url, 'http://127.0.0.1');
  const send = (status, body, headers = {}) => {
    const type = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    response.writeHead(status, { ...type, ...headers }).end(body);
  };
  if (url.pathname === '/api/document') {
    const isAuthorized = /^Bearer ./.test(request.headers.authorization ?? '');
    return send(isAuthorized ? 200 : 401, isAuthorized ? document : '{}');
  }
  if (url.pathname === '/authorize') {
    const redirect = new URL(url.searchParams.get('redirect_uri'));
    redirect.searchParams.set('code', 'a-code');
    redirect.searchParams.set('state', url.searchParams.get('state'));
    return send(302, '', { location: redirect.href });
  }
  if (url.pathname.startsWith('/token/')) {
    tokenRequests += 1;
    // The first token lives as long as the path says, what a refresh gives is good for an hour.
    const isRefresh = tokenRequests > 1;
    const answer = {
      access_token: `access-${tokenRequests}`,
      refresh_token: `refresh-${tokenRequests}`,
      token_type: 'Bearer',
      expires_in: isRefresh ? 3600 : Number(url.pathname.split('/')[2]),
    };
    request.resume();
    // Long enough for every caller to arrive while the answer is awaited.
    setTimeout(() => send(200, JSON.stringify(answer)), 50);
    return;
  }
  send(404, '{}');
});

process.on('message', (message) => {
  if (message === 'count') process.send({ tokenRequests });
  if (message === 'reset') {
    tokenRequests = 0;
    process.send({ tokenRequests });
  }
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }));
