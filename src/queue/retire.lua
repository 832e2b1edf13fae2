-- Takes a device's place away, and with it what only that device had not passed. Allowed at maxmemory: it frees.
-- ARGV[3] device · [4] '' or the id after which a live connection still reads · [5] '' or the opening that must still speak for it
-- -> 1: it had a place
local known = redis.call('HMGET', ST, 's', 'v')
if not known[1] or not known[2] then return 0 end
loadState(known[1])
expireDue()
local devices, hadPlace = cmsgpack.unpack(known[2]), 0
for i = #devices, 1, -1 do
  if devices[i][1] == ARGV[3] and (ARGV[5] == '' or devices[i][5] == tonumber(ARGV[5])) then
    table.remove(devices, i)
    hadPlace = 1
  end
end
if hadPlace == 0 then
  saveState()
  return 0
end
local floorMs, floor = passedByAll(devices, nil)
if ARGV[4] ~= '' then
  local keepMs, keep = idParts(ARGV[4])
  if keep < floor then floorMs, floor = keepMs, keep end
end
-- What is kept as history leaves when its time comes.
if HISTORY_MS == 0 and floor > 0 then
  if floor >= S[LAST] then
    if S[DUE] ~= 0 then emptyLog() end
  elseif redis.call('XTRIM', MB, 'MINID', floorMs .. '-' .. floor + 1) > 0 then
    frontMoved()
  end
end
saveState('v', cmsgpack.pack(devices))
return 1
