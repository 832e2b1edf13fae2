#!lua
-- What it ends must have been announced: nobody who missed that may go on as if it lasted. So it is asked twice where it ends something.
-- KEYS[1] ses:{b}:A · [2] own:{b}:A
-- ARGV[1] device · [2] hash · [3] now, ms · [4] how long a session lasts, ms · [5] sessions at most
-- ARGV[6…] what was announced: hashes of sessions; `first`: that the address signs in for the first time
-- -> {}: made · {1: for the first time, hash, device, hash, device, …}: what it would end; nothing was done
local now = tonumber(ARGV[3])
local announced = {}
for i = 6, #ARGV do announced[ARGV[i]] = true end
local isFirst = redis.call('EXISTS', KEYS[2]) == 0
local gone, left = {}, {}
local ends = { isFirst and 1 or 0 }
local isAnnounced = not isFirst or announced.first
local function finish(hash, device)
  gone[#gone + 1] = hash
  ends[#ends + 1] = hash
  ends[#ends + 1] = device
  isAnnounced = isAnnounced and announced[hash]
end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  local device, used, expires = string.match(all[i + 1], '^(%S+) %d+ (%d+) (%d+)$')
  if device == nil or tonumber(expires) <= now then
    gone[#gone + 1] = all[i]
  elseif all[i] == ARGV[2] then
    -- Its own: the call came twice.
  elseif device == ARGV[1] then
    finish(all[i], device)
  else
    left[#left + 1] = { hash = all[i], device = device, used = tonumber(used) }
  end
end
table.sort(left, function(a, b) return a.used < b.used end)
for i = 1, #left - tonumber(ARGV[5]) + 1 do
  finish(left[i].hash, left[i].device)
end
if not isAnnounced then return ends end
for _, hash in ipairs(gone) do redis.call('HDEL', KEYS[1], hash) end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[1] .. ' ' .. ARGV[3] .. ' ' .. ARGV[3] .. ' ' .. string.format('%d', now + ARGV[4]))
-- Nodes' clocks differ by little; an hour more costs nothing.
redis.call('PEXPIRE', KEYS[1], tonumber(ARGV[4]) + 3600000)
redis.call('SETNX', KEYS[2], ARGV[3])
return {}
