// The add-in. It runs in QuickJS, where there is ECMAScript, `Mortise` of the bundle, and what the program lends:
// `hostCall` for everything, `print` for this sample, and `settings`.
const host = Mortise.createEngineHost({ call: hostCall });

async function main() {
  const { clientId, environment } = JSON.parse(settings);
  const provider = Mortise.prevu3d({
    clientId,
    environment,
    scopes: ['read:basic', 'read:hierarchy'],
  });
  const session = Mortise.createSession({ host, provider });
  session.onChange(({ from, to }) => print('State', `${from} → ${to}`));
  try {
    await session.signIn();
    const { organization, user } = await session.api.getApiInfo();
    print('Signed in', `${user?.firstName} ${user?.lastName}`);
    for (const { name } of await session.api.browse(organization.id)) print('Division', name);
    await session.signOut();
    print('Signed out', 'the tokens are gone from the store');
  } finally {
    await session.close();
  }
}

main().then(
  () => done('{}'),
  ({ code, message, hint }) => done(JSON.stringify({ code, message, hint })),
);
