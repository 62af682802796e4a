/** `docker buildx bake` without the action: some stages of a context's Dockerfile, pushed each under its name. */
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runProcess } from '../src/process.ts'

/** @throws Error with what buildx said when it fails */
export async function bareBake(context: string, repository: string, stages: readonly string[]): Promise<void> {
  const target = (stage: string): object => ({
    context,
    target: stage,
    output: [`type=image,push=true,"name=${repository}:${stage}"`],
  })
  const definition = join(context, '.bake.json')
  const targets = Object.fromEntries(stages.map((stage) => [stage, target(stage)]))
  await writeFile(definition, JSON.stringify({ target: targets }))
  const args = ['buildx', 'bake', '--file', definition, '--progress', 'rawjson', '--allow', `fs.read=${context}`]
  const { code, stderr } = await runProcess('docker', [...args, ...stages])
  await rm(definition)
  if (code !== 0) throw new Error(`bake failed:\n${stderr}`)
}
