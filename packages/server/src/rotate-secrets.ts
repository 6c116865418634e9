import { Config, type ConfigOptions, PortiaError, rotateKeys, type Rotation } from 'portia-ts';
import { openControl } from './control/open-control.ts';
import { SqlSecrets } from './control/sql-secrets.ts';
import { storageOf } from './tenants.ts';
import { WebhookStore } from './webhooks/webhook-store.ts';

/**
 * Seals everything of a server with the first of its master keys: the data keys of all end users of all organisations,
 * sign-ins, what webhooks are signed with, and what tools have asked. Answers kept for a day are left: they are over by themselves.
 * @throws PortiaError `CONFIG_NOT_FOUND` without a key, `CONFIG_INVALID` for what none of the keys opens.
 */
export async function rotateSecrets(settings: ConfigOptions): Promise<Rotation> {
  const base = Config.fromDefault(settings);
  const { secretKey } = base;
  if (secretKey === undefined) {
    throw new PortiaError({
      code: 'CONFIG_NOT_FOUND',
      message: 'there is no master key to seal with',
      hint: 'set PORTIA_SECRET_KEY to the new key, a comma, and the old one',
    });
  }
  const control = await openControl(base);
  try {
    const all: Rotation[] = [
      await new WebhookStore(control.sql, secretKey).rotate(),
      await new SqlSecrets(control.sql, secretKey).rotate(),
      await control.rotateQuestions(),
    ];
    for (const organisation of await control.organisations()) {
      const storage = await storageOf(base, organisation);
      try {
        all.push(await rotateKeys(storage, secretKey));
      } finally {
        await storage.close();
      }
    }
    const sum = (of: keyof Rotation): number => all.reduce((total, one) => total + one[of], 0);
    return { rotated: sum('rotated'), current: sum('current'), left: sum('left') };
  } finally {
    await control.close();
  }
}
