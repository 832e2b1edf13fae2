#!lua flags=allow-oom
-- KEYS[1] {nodes}
-- ARGV[1] name · [2] until when the claim lasts, ms
return redis.call('ZADD', KEYS[1], 'XX', -tonumber(ARGV[2]), ARGV[1])
