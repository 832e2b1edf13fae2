#!lua flags=allow-oom
-- KEYS[1] ban
-- ARGV[1] address · [2] names this change among all
-- -> 1: it was there, else 0
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'mark', ARGV[2])
return 1
