import { randomBytes } from 'node:crypto';
import { RedisNodeRepository } from '../../src/admin/node.repository.redis.js';
import { REPORT_KEPT_MS } from '../../src/admin/node.repository.js';
import { RedisClient } from '../../src/redis/redis-client.redis.js';
import { ManualClock } from '../support/manual-clock.js';
import { sharedRedis, usesRedis } from '../support/redis-server.js';
import { nodeContract, reportOf } from './node.contract.js';

void usesRedis();

const open = async () => {
  const clock = new ManualClock();
  const client = await RedisClient.connect((await sharedRedis()).url, `${randomBytes(4).toString('hex')}:`);
  return { nodes: new RedisNodeRepository(client, clock), clock, client, close: () => client.close() };
};

nodeContract('redis', open);

describe('nodes in Redis', () => {
  it('leave nothing behind: not those that were followed by others, nor in the end the last', async () => {
    const { nodes, client, clock, close } = await open();
    await nodes.report(reportOf('old'));
    await nodes.order('old', 'drain');
    clock.advance(REPORT_KEPT_MS + 1);
    await nodes.report(reportOf('new'));
    expect(await client.command('HKEYS', `${client.prefix}beat`)).toEqual(['r:new']);
    expect(Number(await client.command('PTTL', `${client.prefix}beat`))).toBeGreaterThan(REPORT_KEPT_MS - 5_000);
    await close();
  });

  it('that cannot be read hide no other', async () => {
    const { nodes, client, close } = await open();
    await nodes.report(reportOf('a'));
    await client.command('HSET', `${client.prefix}beat`, 'r:b', '99999999999999 {"node":', 'r:c', '', 'o:a', 'dance');
    expect((await nodes.list()).map(({ report }) => report.node)).toEqual(['a']);
    expect(await nodes.report(reportOf('a'))).toBeNull();
    await close();
  });
});
