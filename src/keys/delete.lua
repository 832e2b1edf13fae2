#!lua flags=allow-oom
-- KEYS[1] key:{b}:A · [2] keys:{b}
-- -> 1: there was one
local existed = redis.call('DEL', KEYS[1])
if existed == 1 and redis.pcall('DECR', KEYS[2]) == 0 then redis.call('DEL', KEYS[2]) end
return existed
