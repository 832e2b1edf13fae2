#!lua flags=allow-oom
-- A node has no connection of the address any more.
-- KEYS[1] pre:{b}:A
-- ARGV[1] name of the node · [2] when it was last there, ms · [3] how long to remember, ms
-- -> the fields that are left · nil: it had none before
if redis.call('HDEL', KEYS[1], 'c:' .. ARGV[1]) == 0 then return nil end
-- Two nodes may go in either order: a dead one is noticed late.
local seen = tonumber(redis.call('HGET', KEYS[1], 's') or 0) or 0
if tonumber(ARGV[2]) > seen then redis.call('HSET', KEYS[1], 's', ARGV[2]) end
local left = redis.call('HKEYS', KEYS[1])
for _, field in ipairs(left) do
  if field ~= 's' then return left end
end
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return left
