// An identity provider with a client for the mail program, one for submitd, and any user. Settings come as JSON on standard
// input; "ready" is said when it listens. A resource is https://mail.example.net/KIND, where KIND is opaque or an algorithm.
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import https from 'node:https'

import Provider from 'oidc-provider'

const settings = JSON.parse(readFileSync(0, 'utf8'))

const kinds = {
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: generateKeyPairSync('ed25519')
}
const keys = Object.entries(kinds).map(([alg, pair]) => ({
  ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg} of ${settings.era}`
}))

const provider = new Provider(settings.issuer, {
  clients: [
    { client_id: 'mail-program', client_secret: settings.program_secret, grant_types: ['client_credentials', 'authorization_code'],
      redirect_uris: ['https://localhost/back'], response_types: ['code'] },
    { client_id: settings.client, client_secret: settings.secret, grant_types: [], redirect_uris: [], response_types: [] }
  ],
  jwks: { keys },
  cookies: { keys: ['of the tests'] },
  scopes: ['openid', 'smtp'],
  findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  extraTokenClaims: (context, token) => ({ email: token.accountId ?? settings.user }),
  pkce: { methods: ['S256'], required: () => false },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true },
    resourceIndicators: {
      enabled: true,
      useGrantedResource: () => true,
      getResourceServerInfo: (context, resource) => {
        const kind = resource.split('/').pop()
        return {
          scope: 'smtp', audience: settings.audience, accessTokenTTL: 300,
          ...(kind === 'opaque' ? { accessTokenFormat: 'opaque' } : { accessTokenFormat: 'jwt', jwt: { sign: { alg: kind } } })
        }
      }
    }
  }
})
provider.on('server_error', (context, error) => console.error(error))
https.createServer({ key: readFileSync(settings.key), cert: readFileSync(settings.certificate) }, provider.callback())
  .listen(settings.port, '127.0.0.1', () => console.log('ready'))
