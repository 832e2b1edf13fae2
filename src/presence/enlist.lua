#!lua flags=allow-oom
-- KEYS[1] onl:{node}
-- ARGV[1] address
return redis.call('ZADD', KEYS[1], 0, ARGV[1])
