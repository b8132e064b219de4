// Reads one request a line (JSON) and prints the verdict that @cloud-copilot/iam-simulate comes to, a line each.
// Its public entry drops the context keys of OIDC issuers, so that its inner `authorize` is called.
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'

const home = process.argv[2]
const load = (name, path) =>
  import(pathToFileURL(join(home, 'node_modules', '@cloud-copilot', name, 'dist', 'esm', path)).href)
const { authorize } = await load('iam-simulate', 'core_engine/CoreSimulatorEngine.js')
const { AwsRequestImpl } = await load('iam-simulate', 'request/request.js')
const { RequestContextImpl } = await load('iam-simulate', 'requestContext.js')
const { DiscoveryContextKeyConstraints } = await load(
  'iam-simulate',
  'context_keys/discoveryContextKeyConstraints.js'
)
const { loadPolicy } = await load('iam-policy', 'index.js')

const constraints = new DiscoveryContextKeyConstraints([])
const read = (document, name) => loadPolicy(document, { name })
const all = (documents, name) => (documents ?? []).map((document) => read(document, name))

function judge(item) {
  const context = new RequestContextImpl(item.context)
  return authorize({
    request: new AwsRequestImpl(item.principal, item.resource, item.action, context),
    sessionPolicy: item.session ? read(item.session, 'session') : undefined,
    identityPolicies: all(item.identity, 'identity'),
    serviceControlPolicies: [],
    resourceControlPolicies: [],
    resourcePolicy: item.trust ? read(item.trust, 'trust') : undefined,
    permissionBoundaries: item.boundaries ? all(item.boundaries, 'boundary') : undefined,
    vpcEndpointPolicies: undefined,
    simulationParameters: {
      simulationMode: 'Strict',
      discoveryContextKeyConstraints: constraints
    }
  }).result
}

for await (const line of createInterface({ input: process.stdin })) {
  let verdict
  try {
    verdict = judge(JSON.parse(line))
  } catch (error) {
    verdict = `Error: ${error.message}`
  }
  console.log(JSON.stringify(verdict))
}
