-- Moves a device's cursor and frees what every device has passed. Allowed at maxmemory: it frees.
-- ARGV[3] device · [4] ms and [5] sequence of the id up to which · [6] claim, 0: none needed
-- ARGV[7] '' or the id after which a live connection still reads · [8] '' or [[sequence, sender, messageId], …]
-- -> {'acknowledged', sequence of the furthest cursor before, silent ranges, field of the receipts owed or ''}
--    {'ahead'} · {'superseded'}
local deviceId, ms, sequence, claim = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local known = redis.call('HMGET', ST, 's', 'v')
if not known[1] then return { 'ahead' } end
loadState(known[1])
if sequence > S[LAST] or ms > S[LAST_MS] then return { 'ahead' } end
local devices = known[2] and cmsgpack.unpack(known[2]) or {}
local device
for _, one in ipairs(devices) do
  if one[1] == deviceId then device = one end
end
-- A smaller one was rolled back with Redis: nobody came later.
if claim > 0 and (not device or device[5] > claim) then return { 'superseded' } end
-- Before the cursor moves: an acknowledgement that comes after the expiry comes too late to count.
expireDue()

-- The last entry up to there; its counts say how many messages that are.
local found = redis.call('XREVRANGE', MB, ms .. '-' .. sequence, '-', 'COUNT', 1)[1]
local foundSequence = 0
if found then
  local _
  _, foundSequence = idParts(found[1])
end
if found and foundSequence == sequence and found[1] ~= ms .. '-' .. sequence then return { 'ahead' } end
if foundSequence ~= sequence then
  -- Its entry is gone, or that is no id we ever gave: then there is one in between.
  local after = redis.call('XRANGE', MB, found and '(' .. found[1] or '-', '+', 'COUNT', 1)[1]
  if foundSequence > sequence then return { 'ahead' } end
  if after then
    local _, following = idParts(after[1])
    if following <= sequence then return { 'ahead' } end
  end
end

if not device then
  device = { deviceId, 0, 0, now, 0 }
  devices[#devices + 1] = device
end
device[4] = now
if sequence > device[3] then device[2], device[3] = ms, sequence end

local before, silent, owed = S[FURTHEST], '', ''
if sequence > before then
  local messages, bytes = S[MESSAGES_AT_FURTHEST], S[BYTES_AT_FURTHEST]
  local kind, ordinal, total
  if found and foundSequence > before then kind, ordinal, total = header(found) end
  local acknowledged, freed = 0, 0
  if S[HAS_LOST] == 1 or (found and foundSequence > before and not kind) then
    for _, entry in ipairs(redis.call('XRANGE', MB, '(' .. S[FURTHEST_MS] .. '-' .. before, ms .. '-' .. sequence)) do
      local sort, count, sum, size = header(entry)
      if sort then
        if isMessage(sort) then acknowledged, freed = acknowledged + 1, freed + size end
        messages, bytes = count, sum
      end
    end
  elseif kind then
    acknowledged, freed = ordinal - messages, total - bytes
    messages, bytes = ordinal, total
  end
  if S[HAS_LOST] == 1 or not kind then
    -- What was lost up to there counts as passed: the next acknowledgement counts on from here.
    local following = redis.call('XRANGE', MB, '(' .. ms .. '-' .. sequence, '+', 'COUNT', 1)[1]
    if not following then
      messages, bytes = S[MESSAGES], S[BYTES]
    else
      local sort, count, sum, size = header(following)
      if sort then
        messages, bytes = isMessage(sort) and count - 1 or count, sum - size
      end
    end
  end
  S[MESSAGES_AT_FURTHEST], S[BYTES_AT_FURTHEST] = messages, bytes
  if acknowledged > 0 then
    redis.call('HINCRBY', TOT, 'k', acknowledged)
    setPending(S[PENDING] - acknowledged, S[PENDING_BYTES] - freed)
    forgetShares()
  end
  local lost, early = takeRanges('z', HAS_LOST, sequence), takeRanges('q', HAS_EARLY, sequence)
  silent = lost .. (lost ~= '' and early ~= '' and ' ' or '') .. early
  S[FURTHEST], S[FURTHEST_MS] = sequence, ms
  if ARGV[8] ~= '' then
    owed = 'd' .. address .. sequence
    owe(owed, OWED_TO_CALLER_MS, 'delivered', ',"before":' .. before .. ',"silent":"' .. silent .. '"', ARGV[8])
  end
end

local floorMs, floor = passedByAll(devices, deviceId)
if ARGV[7] ~= '' then
  local keepMs, keep = idParts(ARGV[7])
  if keep < floor then floorMs, floor = keepMs, keep end
end
if HISTORY_MS > 0 then
  if floor > 0 and redis.call('XTRIM', MB, 'MINID', math.min(floorMs, now - HISTORY_MS) .. '-' .. floor + 1) > 0 then frontMoved() end
  local first = firstEntry()
  if first then
    local firstMs, firstSequence = idParts(first[1])
    if firstSequence <= floor and (S[DUE] == 0 or firstMs + HISTORY_MS < S[DUE]) then setDue(firstMs + HISTORY_MS) end
  end
elseif floor >= S[LAST] then
  if S[DUE] ~= 0 then emptyLog() end
elseif floor > 0 and redis.call('XTRIM', MB, 'MINID', floorMs .. '-' .. floor + 1) > 0 then
  frontMoved()
end
saveState('v', cmsgpack.pack(devices))
return { 'acknowledged', before, silent, owed }
