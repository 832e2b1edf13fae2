#!lua
-- KEYS[1] ses:{b}:A · [2] own:{b}:A
-- ARGV[1] device · [2] hash · [3] now, ms · [4] how long a session lasts, ms · [5] sessions at most
-- -> {1: the address never signed in before, what this one ended: {hash, device, hash, device, …}}
local now = tonumber(ARGV[3])
local ended = {}
local left = {}
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local device, used, expires = string.match(all[i + 1], '^(%S+) %d+ (%d+) (%d+)$')
  if device == nil or tonumber(expires) <= now then
    redis.call('HDEL', KEYS[1], all[i])
  elseif device == ARGV[1] then
    redis.call('HDEL', KEYS[1], all[i])
    table.insert(ended, all[i])
    table.insert(ended, device)
  else
    table.insert(left, { hash = all[i], device = device, used = tonumber(used) })
  end
end
table.sort(left, function(a, b) return a.used < b.used end)
for i = 1, #left - tonumber(ARGV[5]) + 1 do
  redis.call('HDEL', KEYS[1], left[i].hash)
  table.insert(ended, left[i].hash)
  table.insert(ended, left[i].device)
end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[1] .. ' ' .. ARGV[3] .. ' ' .. ARGV[3] .. ' ' .. string.format('%d', now + ARGV[4]))
-- Nodes' clocks differ by little; an hour more costs nothing.
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[4]) + 3600000)
return { redis.call('SETNX', KEYS[2], ARGV[3]), ended }
