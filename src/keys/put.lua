#!lua
-- Creates or replaces a public key; when the first came stays as it was. Once one was signed, versions only rise.
-- KEYS[1] key:{b}:A · [2] keys:{b}
-- ARGV[1] public key, as JSON · [2] now, ms · [3] '' or version · [4] scheme · [5] signature
-- -> {'stored', createdAt, 1: differs from the one before} · {'repeat', createdAt, updatedAt, scheme, signature}
--    {'unsigned'} · {'stale'}
local key, counter = KEYS[1], KEYS[2]
local stored = redis.pcall('HMGET', key, 'publicKey', 'createdAt', 'updatedAt', 'floor', 'version', 'scheme', 'signature')
if stored.err then
  -- Somebody wrote it by hand.
  redis.call('DEL', key)
  stored = {}
end
local function isTime(text) return type(text) == 'string' and #text <= 15 and string.find(text, '^%d+$') end
local publicKey, createdAt, updatedAt, floor, version = unpack(stored)
floor = tonumber(floor or '')
if ARGV[3] == '' then
  if floor then return { 'unsigned' } end
elseif floor and tonumber(ARGV[3]) <= floor then
  local isRepeat = version == ARGV[3] and publicKey == ARGV[1] and isTime(createdAt) and isTime(updatedAt)
  if not isRepeat or not stored[6] or not stored[7] then return { 'stale' } end
  return { 'repeat', createdAt, updatedAt, stored[6], stored[7] }
end
if not isTime(createdAt) then
  -- None, or one that somebody wrote by hand.
  redis.call('DEL', key)
  createdAt = ARGV[2]
end
redis.call('HSET', key, 'publicKey', ARGV[1], 'createdAt', createdAt, 'updatedAt', ARGV[2])
if ARGV[3] ~= '' then
  redis.call('HSET', key, 'floor', ARGV[3], 'version', ARGV[3], 'scheme', ARGV[4], 'signature', ARGV[5])
end
if not publicKey then redis.pcall('INCR', counter) end
return { 'stored', createdAt, (publicKey ~= ARGV[1] or ARGV[3] ~= '') and 1 or 0 }
