-- Stores one message, once: everything that append-quickly.lua leaves over.
-- ARGV[3] sender · [4] messageId · [5] kind (m or j) and fingerprint · [6] expires ms · [7] timestamp · [8] content
-- ARGV[9] 1 or 0, whether this node listens to the mailbox, and the node
-- -> {id, how many other nodes hold the recipient, 1 where it is nearly full} · {'repeat', id, 1 if a device has it} · {'refused', code}
local sender, messageId, fingerprint = ARGV[3], ARGV[4], ARGV[5]
local digest = digestOf(sender, messageId)
local known = redis.call('HMGET', ST, 's', digest)
loadState(known[1])
local ghosts = redis.call('HEXISTS', ST, 'b') == 1 and openGhosts()
local isBlocked = ghosts and ghosts.isBlocked(sender)

if known[2] then
  local id, print, flags = string.match(known[2], '^(%S+) (%S+) ?(%a*)$')
  if print ~= fingerprint then return { 'refused', 'id_conflict' } end
  local _, sequence = idParts(id)
  local isLost, isRead = string.find(flags, 'x', 1, true), string.find(flags, 'r', 1, true)
  local isTaken = not isLost and (isRead or sequence <= S[FURTHEST])
  -- What was taken from a blocked sender looks as if it still waited.
  if isTaken and not isRead and string.find(flags, 'g', 1, true) then
    if isBlocked then isTaken = false elseif ghosts then ghosts.cancel(digest) end
  end
  return { 'repeat', id, isTaken and 1 or 0 }
end

-- As if it were stored, with the bounds that it would meet; a repeat and another content with the same id included.
local ghostCount, ghostBytes, ownGhosts, ownGhostBytes = 0, 0, 0, 0
if isBlocked then
  local print = ghosts.fingerprintOf(digest)
  if print then return print == fingerprint and { 'blocked' } or { 'refused', 'id_conflict' } end
  ghosts.expire()
  ghostCount, ghostBytes = ghosts.load('*')
  ownGhosts, ownGhostBytes = ghosts.load(sender)
end

local bytes, maxMessages, maxBytes, share = #ARGV[8], MAX_MESSAGES, MAX_BYTES, SENDER_SHARE
local hadExpired = S[DUE] > 0 and now >= S[DUE]
if hadExpired then expireDue() end

-- MAX_STRANGER below 0: everybody counts as known.
local function isStranger(peer)
  if MAX_STRANGER < 0 or redis.call('ZSCORE', string.gsub(MB, 'mb:{', 'kno:{', 1), peer) then return false end
  return not redis.call('ZSCORE', string.gsub(MB, 'mb:{', 'alw:{', 1), peer)
end

local function shareOf(peer)
  local count, size = string.match(redis.call('HGET', SHR, peer) or '0 0', '(%S+) (%S+)')
  return tonumber(count), tonumber(size)
end

local function addShare(peer, messages, amount)
  if S[HAS_SHARES] == 0 then return end
  for _, whose in ipairs({ peer, isStranger(peer) and '*' or nil }) do
    local count, size = shareOf(whose)
    redis.call('HSET', SHR, whose, string.format('%d %d', math.max(0, count + messages), math.max(0, size + amount)))
  end
end

-- Counted once when the mailbox becomes half full, kept from then on: counting costs milliseconds.
local function countShares()
  redis.call('UNLINK', SHR)
  local shares = {}
  for _, entry in ipairs(redis.call('XRANGE', MB, '(' .. S[FURTHEST_MS] .. '-' .. S[FURTHEST], '+')) do
    local kind, _, _, size, _, peer = header(entry)
    if kind and isMessage(kind) then
      local found = shares[peer] or { 0, 0 }
      shares[peer] = { found[1] + 1, found[2] + size }
    end
  end
  local strangers = { 0, 0 }
  for peer, found in pairs(shares) do
    redis.call('HSET', SHR, peer, found[1] .. ' ' .. found[2])
    if isStranger(peer) then strangers = { strangers[1] + found[1], strangers[2] + found[2] } end
  end
  if MAX_STRANGER >= 0 then redis.call('HSET', SHR, '*', strangers[1] .. ' ' .. strangers[2]) end
  redis.call('PEXPIRE', SHR, STATE_TTL)
  S[HAS_SHARES] = 1
end

local function isOverShare()
  if share >= 1 then return false end
  if (S[PENDING] + ghostCount) * 2 < maxMessages and (S[PENDING_BYTES] + ghostBytes) * 2 < maxBytes then return false end
  if S[HAS_SHARES] == 0 then countShares() end
  local count, size = shareOf(sender)
  count, size = count + ownGhosts, size + ownGhostBytes
  return count > 0 and (count + 1 > maxMessages * share or size + bytes > maxBytes * share)
end

-- Below what the quick script takes, it cannot be.
local function isOverStrangers()
  local pending, pendingBytes = S[PENDING] + ghostCount, S[PENDING_BYTES] + ghostBytes
  if MAX_STRANGER < 0 or pending + 1 <= QUICK_MESSAGES and pendingBytes + bytes <= QUICK_BYTES then return false end
  if not isStranger(sender) then return false end
  if S[HAS_SHARES] == 0 then countShares() end
  if shareOf(sender) + ownGhosts + 1 > MAX_STRANGER then return true end
  local count, size = shareOf('*')
  -- Which of the ghosts are strangers' is not counted.
  count, size = count + ghostCount, size + ghostBytes
  return count > 0 and (count + 1 > maxMessages * share or size + bytes > maxBytes * share)
end

local function obstacle()
  if S[PENDING] + ghostCount + 1 > maxMessages or S[PENDING_BYTES] + ghostBytes + bytes > maxBytes then
    return 'mailbox_full'
  end
  if isOverShare() then return 'sender_share_full' end
end

-- The oldest pending message, of that sender where one is named.
local function oldestPending(of)
  local start = '(' .. S[FURTHEST_MS] .. '-' .. S[FURTHEST]
  while true do
    local entries = redis.call('XRANGE', MB, start, '+', 'COUNT', 20)
    for _, entry in ipairs(entries) do
      local kind, _, _, _, _, peer = header(entry)
      if kind and isMessage(kind) and (not of or peer == of) then return entry end
    end
    if #entries < 20 then return nil end
    start = '(' .. entries[#entries][1]
  end
end

local function makeRoom()
  if bytes > maxBytes then return false end
  -- Nothing real gives way to a ghost.
  if isBlocked then
    ghosts.dropOldest(isOverShare() and sender or nil)
    return true
  end
  repeat
    -- A sender beyond its share pays with its own.
    local victim = oldestPending(isOverShare() and sender or nil)
    if not victim then return false end
    local _, sequence = idParts(victim[1])
    local _, _, _, size, _, peer, id = header(victim)
    delete({ victim[1] })
    markLost(peer, id)
    addRange('z', HAS_LOST, sequence, sequence)
    addShare(peer, -1, -size)
    setPending(S[PENDING] - 1, S[PENDING_BYTES] - size)
    S[DROPPED] = math.max(S[DROPPED], sequence)
    redis.call('HINCRBY', TOT, 'd', 1)
    frontMoved(1, size)
  until not obstacle()
  return true
end

local hadShares = S[HAS_SHARES]
local tooStrange = isOverStrangers()
local why = tooStrange and 'stranger_share_full' or obstacle()
if why and not (DROPS_OLDEST == 1 and not tooStrange and makeRoom()) then
  -- Not for every refusal: with appendfsync always each write is waited for, and a flood is nothing but refusals.
  if hadExpired or isBlocked or DROPS_OLDEST == 1 or S[HAS_SHARES] ~= hadShares then saveState() end
  return { 'refused', why }
end

local expires = tonumber(ARGV[6])
if isBlocked then
  ghosts.add(digest, fingerprint, expires, bytes, sender, messageId)
  saveState()
  return { 'blocked' }
end
S[LAST] = S[LAST] + 1
S[LAST_MS] = math.max(S[LAST_MS], now)
S[MESSAGES] = S[MESSAGES] + 1
S[BYTES] = S[BYTES] + bytes
local value = string.sub(fingerprint, 1, 1) .. S[MESSAGES] .. ' ' .. S[BYTES] .. ' ' .. bytes .. ' ' .. ARGV[6] .. ' '
  .. ARGV[7] .. ' ' .. sender .. ' ' .. messageId .. '\n' .. ARGV[8]
local id = addEntry(value)
addShare(sender, 1, bytes)
setPending(S[PENDING] + 1, S[PENDING_BYTES] + bytes)
if expires < S[LATEST_DUE] then S[IS_MIXED] = 1 else S[LATEST_DUE] = expires end
if S[DUE] == 0 or expires < S[DUE] then setDue(expires) end

-- A device that stays behind while another keeps up loses its oldest entries, so it never closes the mailbox.
local count, size = inLog()
while count > maxMessages or size > maxBytes do
  local first = firstEntry()
  if not first then break end
  local kind, _, _, own = header(first)
  local _, sequence = idParts(first[1])
  if kind and sequence > S[FURTHEST] then break end
  redis.call('XDEL', MB, first[1])
  if kind then S[DROPPED] = math.max(S[DROPPED], sequence) end
  frontMoved(kind and isMessage(kind) and 1 or 0, own or 0)
  count, size = inLog()
end

redis.call('HINCRBY', TOT, 'a', 1)
saveState(digest, id .. ' ' .. fingerprint .. ' ')
-- Its sender is blocked no more, and had sent it before.
if ghosts then ghosts.cancel(digest) end

-- Those that wait, and at least the last 512, stay known. Of what is older than the last look all is; where that is unknown
-- (an older relay looked, the state was made anew, the clock stands still), the records are put in order to find out.
if S[MESSAGES] % 512 == 0 then
  local lookedMs, lookedAt = string.match(redis.call('HGET', ST, 'm') or '', '^(%d+) (%d+)$')
  redis.call('HSET', ST, 'm', string.format('%d %d', S[LAST_MS], S[MESSAGES]))
  -- Only where more than half of them do not wait: all records of a full mailbox take milliseconds to look through.
  local records = redis.call('HLEN', ST) > 2 * S[PENDING] + 1024 and redis.call('HGETALL', ST) or {}
  local forgotten = {}
  -- Compared as texts: of thirteen digits until the year 2286.
  local isKnown = lookedMs and #lookedMs == 13 and tonumber(lookedMs) < S[LAST_MS] and S[FURTHEST_MS] >= 1e12
    and S[MESSAGES] - lookedAt >= 512
  if isKnown then
    local oldest = string.format('%d', math.min(S[FURTHEST_MS], lookedMs))
    for i = 1, #records, 2 do
      local record = records[i + 1]
      if #records[i] == 22 and (record < oldest or record < lookedMs and string.find(record, 'x', 1, true)) then
        forgotten[#forgotten + 1] = records[i]
      end
    end
  else
    local sequences = {}
    for i = 1, #records, 2 do
      if #records[i] == 22 then sequences[#sequences + 1] = tonumber(string.match(records[i + 1], '-(%d+)')) end
    end
    table.sort(sequences)
    local latest = sequences[#sequences - 512] or 0
    local oldest = math.min(S[FURTHEST] + 1, latest)
    for i = 1, #records, 2 do
      if #records[i] == 22 then
        local sequence = tonumber(string.match(records[i + 1], '-(%d+)'))
        local isLost = string.find(records[i + 1], 'x', 1, true)
        if sequence < oldest or (isLost and sequence < latest) then forgotten[#forgotten + 1] = records[i] end
      end
    end
  end
  for i = 1, #forgotten, 1000 do redis.call('HDEL', ST, unpack(forgotten, i, math.min(i + 999, #forgotten))) end
end

local others = listenersElsewhere(ARGV[9])
if others > 0 then redis.call('SPUBLISH', MB, string.sub(ARGV[9], 2) .. 'e' .. id .. ' ' .. value) end
local isNearlyFull = S[PENDING] >= maxMessages * NEARLY_FULL or S[PENDING_BYTES] >= maxBytes * NEARLY_FULL
return { id, others, isNearlyFull and 1 or 0 }
