-- Registers a device, from now on owed every entry. Allowed at maxmemory: clients must come to fetch what fills it.
-- ARGV[3] device · [4] most devices · [5] 1: only this opening speaks for the device from now on
-- ARGV[6] 1 or 0, whether this node listens to the mailbox, and the node
-- -> {id of its cursor or '', id of the newest entry or '', claim, devices, how many other nodes hold the address,
--     1: it had no place before} · {'full'}
local deviceId = ARGV[3]
local known = redis.call('HMGET', ST, 's', 'v')
loadState(known[1])
expireDue()
local devices = devicesIn(known[2])
passedByAll(devices, deviceId)
local device, isNew = nil, 0
for _, one in ipairs(devices) do
  if one[1] == deviceId then device = one end
end
if not device then
  if #devices >= tonumber(ARGV[4]) then return { 'full' } end
  -- At the oldest entry still kept, or before what nobody acknowledged and is lost, to be told of it.
  device = { deviceId, S[FURTHEST_MS], S[FURTHEST], now, 0 }
  local first = firstEntry()
  if first then
    local ms, sequence = idParts(first[1])
    if sequence <= S[FURTHEST] then device[2], device[3] = ms, sequence - 1 end
  end
  devices[#devices + 1] = device
  isNew = 1
end
device[4] = now
if ARGV[5] == '1' then
  S[CLAIMS] = S[CLAIMS] + 1
  device[5] = S[CLAIMS]
end
local others = listenersElsewhere(ARGV[6])
if others > 0 then redis.call('SPUBLISH', MB, string.sub(ARGV[6], 2) .. 'd' .. device[5] .. ' ' .. deviceId) end
saveState('v', cmsgpack.pack(devices))
return {
  device[3] > 0 and device[2] .. '-' .. device[3] or '',
  S[LAST] > 0 and S[LAST_MS] .. '-' .. S[LAST] or '',
  device[5],
  #devices,
  others,
  isNew,
}
