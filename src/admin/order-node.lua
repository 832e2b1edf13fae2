#!lua flags=allow-oom
-- KEYS[1] beat
-- ARGV[1] node · [2] what it is to do
-- -> 1, or 0 where nobody knows it
if redis.call('HEXISTS', KEYS[1], 'r:' .. ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'o:' .. ARGV[1], ARGV[2])
return 1
