#!lua flags=allow-oom
-- A node has a connection of the address. Allowed at maxmemory: clients must come to fetch what fills it.
-- KEYS[1] pre:{b}:A
-- ARGV[1] name of the node
-- -> the fields as they were before
local before = redis.call('HKEYS', KEYS[1])
redis.call('HSET', KEYS[1], 'c:' .. ARGV[1], 1)
redis.call('HDEL', KEYS[1], 's')
redis.call('PERSIST', KEYS[1])
return before
