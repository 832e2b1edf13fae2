-- Moves a device's cursor and frees what every device has passed. Allowed at maxmemory: it frees.
-- ARGV[3] device · [4] ms and [5] sequence of the id up to which · [6] claim, 0: none needed
-- ARGV[7] '' or the id after which a live connection still reads · [8] '' or lines, each a group: [[sequence, sender, messageId], …]
-- ARGV[9] '', or where other nodes may hold the address: 1 or 0, whether this node listens to the mailbox, and the node
-- -> {'acknowledged', sequence of the furthest cursor before, silent ranges, field of the receipts owed or ''; those of later groups: <field>.1 …}
--    {'ahead'} · {'superseded'}
local deviceId, ms, sequence, claim = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local known = redis.call('HMGET', ST, 's', 'v', 'b')
if not known[1] then return { 'ahead' } end
loadState(known[1])
if sequence > S[LAST] or ms > S[LAST_MS] then return { 'ahead' } end
local devices, areRead = devicesIn(known[2])
local device
for _, one in ipairs(devices) do
  if one[1] == deviceId then device = one end
end
-- A smaller one was rolled back with Redis: nobody came later.
if claim > 0 and (device and device[5] > claim or not device and areRead) then return { 'superseded' } end
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
  device = { deviceId, 0, 0, now, claim }
  devices[#devices + 1] = device
end
device[4] = now
if sequence > device[3] then device[2], device[3] = ms, sequence end

-- Whoever is blocked is not told that somebody took what came before, and must not find out otherwise: it looks as if it
-- still waited. -> their sequences, as ranges
local function takeFromBlocked()
  local ghosts, blocked, hidden = openGhosts(), {}, {}
  for _, entry in ipairs(redis.call('XRANGE', MB, '(' .. S[FURTHEST_MS] .. '-' .. S[FURTHEST], ms .. '-' .. sequence)) do
    local kind, _, _, bytes, expires, peer, messageId = header(entry)
    if kind and isMessage(kind) then
      if blocked[peer] == nil then blocked[peer] = ghosts.isBlocked(peer) end
      local digest = blocked[peer] and digestOf(peer, messageId)
      local print, flags = string.match(digest and redis.call('HGET', ST, digest) or '', '^%S+ (%S+) ?(%a*)$')
      -- Of what was read before the block, it knows.
      if print and not string.find(flags, 'r', 1, true) then
        redis.call('HSET', ST, digest, redis.call('HGET', ST, digest) .. 'g')
        ghosts.add(digest, print, expires, bytes, peer, messageId)
        local _, number = idParts(entry[1])
        hidden[#hidden + 1] = number .. '-' .. number
      end
    end
  end
  return table.concat(hidden, ' ')
end

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
  local hidden = known[3] and takeFromBlocked() or ''
  if hidden ~= '' then silent = silent .. (silent ~= '' and ' ' or '') .. hidden end
  S[FURTHEST], S[FURTHEST_MS] = sequence, ms
  if ARGV[8] ~= '' then
    owed = 'd' .. address .. sequence
    local name, others = owed, 0
    for group in string.gmatch(ARGV[8], '[^\n]+') do
      owe(name, OWED_TO_CALLER_MS, 'delivered', ',"before":' .. before .. ',"silent":"' .. silent .. '"', group)
      others = others + 1
      name = owed .. '.' .. others
    end
  end
end

-- Several classic connections have one cursor; those on other nodes say how far they are when they acknowledge. One that
-- did not say may be anywhere. -> the place up to which they hold nothing back
local function passedElsewhere()
  local places, others, lowestMs, lowest = {}, listenersElsewhere(ARGV[9]), math.huge, math.huge
  local isRead, known = pcall(cmsgpack.unpack, redis.call('HGET', ST, 'p') or '\144')
  if others <= 0 then
    redis.call('HDEL', ST, 'p')
    return lowestMs, lowest
  end
  local node = string.sub(ARGV[9], 2)
  for _, place in ipairs(isRead and type(known) == 'table' and known or {}) do
    -- Of a node that ended, or fell silent: whoever lags for a minute is cut off.
    if place[1] ~= node and place[4] > now - PLACE_KEPT_MS then
      places[#places + 1] = place
      if place[3] < lowest then lowestMs, lowest = place[2], place[3] end
    end
  end
  local isKnown = #places >= others
  local ownMs, own = 2 ^ 53, 2 ^ 53
  if ARGV[7] ~= '' then ownMs, own = idParts(ARGV[7]) end
  places[#places + 1] = { node, ownMs, own, now }
  redis.call('HSET', ST, 'p', cmsgpack.pack(places))
  if not isKnown then return 0, 0 end
  return lowestMs, lowest
end

local floorMs, floor = passedByAll(devices, deviceId)
if ARGV[7] ~= '' then
  local keepMs, keep = idParts(ARGV[7])
  if keep < floor then floorMs, floor = keepMs, keep end
end
if ARGV[9] ~= '' then
  local keepMs, keep = passedElsewhere()
  if keep < floor then floorMs, floor = keepMs, keep end
end
if HISTORY_MS > 0 then
  if floor > 0 then trim(math.min(floorMs, now - HISTORY_MS), floor) end
  local first = firstEntry()
  if first then
    local firstMs, firstSequence = idParts(first[1])
    if firstSequence <= floor and (S[DUE] == 0 or firstMs + HISTORY_MS < S[DUE]) then setDue(firstMs + HISTORY_MS) end
  end
elseif floor >= S[LAST] then
  if S[DUE] ~= 0 then emptyLog() end
elseif floor > 0 then
  trim(floorMs, floor)
end
saveState('v', cmsgpack.pack(devices))
return { 'acknowledged', before, silent, owed }
