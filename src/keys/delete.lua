#!lua flags=allow-oom
-- What was signed leaves its version behind: deleting must not open the way for an older key.
-- KEYS[1] key:{b}:A · [2] keys:{b}
-- -> 1: there was one
local floor = redis.pcall('HGET', KEYS[1], 'floor')
local existed
if type(floor) == 'string' then
  existed = redis.call('HDEL', KEYS[1], 'publicKey')
  redis.call('HDEL', KEYS[1], 'createdAt', 'updatedAt', 'version', 'scheme', 'signature')
else
  existed = redis.call('DEL', KEYS[1])
end
if existed == 1 and redis.pcall('DECR', KEYS[2]) == 0 then redis.call('DEL', KEYS[2]) end
return existed
