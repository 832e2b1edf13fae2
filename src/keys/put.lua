#!lua
-- Creates or replaces a public key; when the first came stays as it was.
-- KEYS[1] key:{b}:A · [2] keys:{b}
-- ARGV[1] public key, as JSON · [2] now, ms
-- -> createdAt, ms
local existed = redis.call('EXISTS', KEYS[1])
local createdAt = redis.pcall('HGET', KEYS[1], 'createdAt')
if type(createdAt) ~= 'string' or #createdAt > 15 or not string.find(createdAt, '^%d+$') then
  -- None, or one that somebody wrote by hand.
  redis.call('DEL', KEYS[1])
  createdAt = ARGV[2]
end
redis.call('HSET', KEYS[1], 'publicKey', ARGV[1], 'createdAt', createdAt, 'updatedAt', ARGV[2])
if existed == 0 then redis.pcall('INCR', KEYS[2]) end
return createdAt
