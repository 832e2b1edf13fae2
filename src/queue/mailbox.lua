-- What the scripts on one mailbox share; put in front of each of them. Everything they touch lies in one slot.
--
-- KEYS[1] mb   stream  the log, and the channel on which nodes hear of new entries. Id <ms>-<n>, one field `e`:
--                      <kind><ordinal> <total bytes> <bytes> <expires ms> <timestamp> <peer> <messageId>\n<content>
--                      kind: m message, j message whose content is a JSON string, d delivered, r read, x expired.
--                      ordinal and total bytes count the mailbox's messages up to and including this entry.
-- KEYS[2] st   hash    s state, v devices, z lost ranges, q read early, p where each node's connections read, while there are
--                      several; b while its owner blocks somebody, or there are ghosts; m the last id's ms, and how many messages there
--                      were, when it was last looked which to forget; a digest for each remembered message
-- KEYS[3] tot  hash    of the bucket: a accepted, k acknowledged, x expired, d dropped, b mailboxes with pending messages,
--                      r states that could not be read and were made anew
-- KEYS[4] exp  zset    of the bucket: address -> when the first entry of its log is due
--         out  hash    of the bucket: receipts owed and not yet passed on: name -> "<ms from which anybody may pass them on> <json>"
--         shr  hash    sender -> "<messages> <bytes>" pending, and * -> those of strangers; only while the mailbox is half full,
--                      or strangers fill as much of it as they may
--         blk  zset    whom the owner blocks; alw: allows; kno: wrote to or took mail of (src/contacts)
--         gho  hash    ghosts, which are what blocked senders believe to be waiting, and ghx (ghosts.lua)
--         rd   zset    digests of messages whose `read` receipt was stored of late; expires by itself
-- ARGV[1] now, ms · ARGV[2] address
-- Names in capitals that are declared nowhere are numbers, put in before the script is sent (scripts.redis.ts).

local MB, ST, TOT, EXP = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
-- Seldom needed, and beside the others in their slot: each key that is declared costs every call.
local OUT, SHR = string.gsub(TOT, 'tot:{', 'out:{', 1), string.gsub(MB, 'mb:{', 'shr:{', 1)
local BLK = string.gsub(MB, 'mb:{', 'blk:{', 1)
local now, address = tonumber(ARGV[1]), ARGV[2]
local S

-- The state of an empty mailbox expires by itself; while there is mail it must not: without it nobody knows whose that is.
local function saveState(...)
  local isEmpty, hadTtl = S[DUE] == 0, S[HAS_TTL] == 1
  S[HAS_TTL] = isEmpty and 1 or 0
  redis.call('HSET', ST, 's', cmsgpack.pack(S), ...)
  if isEmpty then
    redis.call('PEXPIRE', ST, STATE_TTL)
  elseif hadTtl then
    redis.call('PERSIST', ST)
  end
end

local function idParts(id)
  local ms, sequence = string.match(id, '^(%d+)-(%d+)$')
  return tonumber(ms), tonumber(sequence)
end

-- kind, ordinal, total bytes, bytes, expires, peer, messageId; nil for what somebody else wrote
local function header(entry)
  local kind, ordinal, total, bytes, expires, peer, messageId =
    string.match(entry[2][2] or '', '^(%a)(%d+) (%d+) (%d+) (%d+) %d+ (0x%x+) ([^\n]*)')
  return kind, tonumber(ordinal), tonumber(total), tonumber(bytes), tonumber(expires), peer, messageId
end

local function isMessage(kind) return kind == 'm' or kind == 'j' end

local function digestOf(peer, messageId) return string.sub(redis.sha1hex(peer .. messageId), 1, 22) end

local function firstEntry() return redis.call('XRANGE', MB, '-', '+', 'COUNT', 1)[1] end

-- The next entry of the mailbox, with the id that LAST and LAST_MS say.
local function addEntry(value)
  local id = S[LAST_MS] .. '-' .. S[LAST]
  if redis.pcall('XADD', MB, id, 'e', value).err then
    -- Somebody else wrote into the log with a later time; what the log remembers of it outlives the entry.
    local facts = redis.call('XINFO', 'STREAM', MB)
    for i = 1, #facts, 2 do
      if facts[i] == 'last-generated-id' then S[LAST_MS] = idParts(facts[i + 1]) + 1 end
    end
    id = S[LAST_MS] .. '-' .. S[LAST]
    redis.call('XADD', MB, id, 'e', value)
  end
  return id
end

local function setPending(messages, bytes)
  if S[PENDING] == 0 and messages > 0 then redis.call('HINCRBY', TOT, 'b', 1) end
  if S[PENDING] > 0 and messages == 0 then redis.call('HINCRBY', TOT, 'b', -1) end
  S[PENDING], S[PENDING_BYTES] = messages, bytes
end

local function setDue(ms)
  if S[DUE] == ms then return end
  S[DUE] = ms
  if ms == 0 then redis.call('ZREM', EXP, address) else redis.call('ZADD', EXP, ms, address) end
end

local function forgetShares()
  if S[HAS_SHARES] == 0 then return end
  redis.call('UNLINK', SHR)
  S[HAS_SHARES] = 0
end

-- The log is empty: nothing of it may stay behind.
local function emptyLog()
  redis.call('UNLINK', MB)
  S[MESSAGES_AT_TRIM], S[BYTES_AT_TRIM], S[HOLES], S[HOLE_BYTES] = S[MESSAGES], S[BYTES], 0, 0
  S[LATEST_DUE], S[IS_MIXED] = 0, 0
  setDue(0)
end

-- Messages in the log, and their bytes.
local function inLog()
  return S[MESSAGES] - S[MESSAGES_AT_TRIM] - S[HOLES], S[BYTES] - S[BYTES_AT_TRIM] - S[HOLE_BYTES]
end

-- After entries were taken out: so many messages, so many bytes. Only where the log has no holes, and they came off its
-- front, need nobody say how many.
local function frontMoved(messages, bytes)
  local count, size = inLog()
  local first = firstEntry()
  while first and not header(first) do
    -- Nobody can read it, and it would stand in the way of the bound.
    redis.call('XDEL', MB, first[1])
    first = firstEntry()
  end
  if not first then return emptyLog() end
  local kind, ordinal, total, own = header(first)
  S[MESSAGES_AT_TRIM] = isMessage(kind) and ordinal - 1 or ordinal
  S[BYTES_AT_TRIM] = total - own
  if not messages then return end
  S[HOLES] = math.max(0, S[MESSAGES] - S[MESSAGES_AT_TRIM] - (count - messages))
  S[HOLE_BYTES] = math.max(0, S[BYTES] - S[BYTES_AT_TRIM] - (size - bytes))
end

-- Takes what is not after that id off the front.
local function trim(ms, sequence)
  local messages, bytes
  if S[HOLES] > 0 then
    messages, bytes = 0, 0
    for _, entry in ipairs(redis.call('XRANGE', MB, '-', ms .. '-' .. sequence)) do
      local kind, _, _, size = header(entry)
      if kind and isMessage(kind) then messages, bytes = messages + 1, bytes + size end
    end
  end
  if redis.call('XTRIM', MB, 'MINID', ms .. '-' .. sequence + 1) > 0 then frontMoved(messages, bytes) end
end

-- Ranges of sequences ("3-3 7-9") beyond the furthest cursor whose acknowledgement is owed no receipt.
local function addRange(field, flag, from, to)
  local known = S[flag] == 1 and redis.call('HGET', ST, field) or ''
  -- More than can be on its way to anybody; a mailbox that nobody opens must not grow.
  if #known > 16384 then known = string.match(known, ' (.*)$', 8192) or '' end
  redis.call('HSET', ST, field, (known == '' and '' or known .. ' ') .. from .. '-' .. to)
  S[flag] = 1
end

-- Those up to there, once: "3-3 7-8".
local function takeRanges(field, flag, upTo)
  if S[flag] == 0 then return '' end
  local taken, left = {}, {}
  for from, to in string.gmatch(redis.call('HGET', ST, field) or '', '(%d+)-(%d+)') do
    from, to = tonumber(from), tonumber(to)
    if from <= upTo then taken[#taken + 1] = from .. '-' .. math.min(to, upTo) end
    if to > upTo then left[#left + 1] = math.max(from, upTo + 1) .. '-' .. to end
  end
  if #left == 0 then
    redis.call('HDEL', ST, field)
    S[flag] = 0
  else
    redis.call('HSET', ST, field, table.concat(left, ' '))
  end
  return table.concat(taken, ' ')
end

-- A pending message is gone: its digest says so, and so must a lost range.
local function markLost(peer, messageId)
  local digest = digestOf(peer, messageId)
  local record = redis.call('HGET', ST, digest)
  if record then redis.call('HSET', ST, digest, record .. 'x') end
end

-- Tells the other nodes that hold the address; ARGV[last] is 1 or 0, whether this node listens too, and its name.
local function listenersElsewhere(self)
  return redis.call('PUBSUB', 'SHARDNUMSUB', MB)[2] - string.sub(self, 1, 1)
end

-- Receipts that somebody must pass on: whoever runs this script, or after a while anybody.
local function owe(name, afterMs, kind, more, messages)
  redis.call('HSET', OUT, name, string.format('%d', now + afterMs) .. ' {"kind":"' .. kind .. '","at":' .. ARGV[1]
    .. ',"mailbox":"' .. address .. '"' .. more .. ',"messages":' .. messages .. '}')
end

local function delete(ids)
  for i = 1, #ids, 1000 do redis.call('XDEL', MB, unpack(ids, i, math.min(i + 999, #ids))) end
end

-- Those that the address has: {id, ms and sequence of its cursor, last seen ms, claim} each. Also: whether that could be read.
local function devicesIn(packed)
  local isRead, devices = pcall(cmsgpack.unpack, packed or '\144')
  if not isRead or type(devices) ~= 'table' then return {}, false end
  for _, one in ipairs(devices) do
    if type(one) ~= 'table' or type(one[1]) ~= 'string' then return {}, false end
    for i = 2, 5 do
      if type(one[i]) ~= 'number' then return {}, false end
    end
  end
  return devices, true
end

-- Up to where every device has passed: ms, sequence. Devices unseen for the state's lifetime are retired.
local function passedByAll(devices, but)
  local ms, sequence = S[FURTHEST_MS], S[FURTHEST]
  for i = #devices, 1, -1 do
    local device = devices[i]
    if device[1] ~= but and device[4] < now - STATE_TTL then
      table.remove(devices, i)
    elseif device[3] < sequence then
      ms, sequence = device[2], device[3]
    end
  end
  return ms, sequence
end

-- Removes what is due, from its instant on: whoever looks at the log calls this first.
local function expireDue()
  if S[DUE] == 0 or now < S[DUE] then return end
  local floor = 0
  if HISTORY_MS > 0 then
    local _
    _, floor = passedByAll(devicesIn(redis.call('HGET', ST, 'v')), nil)
  end
  local gone, notices, due, start, done = {}, {}, 0, '-', false
  local pending, pendingBytes, expired = S[PENDING], S[PENDING_BYTES], 0
  local messages, size = 0, 0
  local lostFrom, lostTo
  repeat
    local entries = redis.call('XRANGE', MB, start, '+', 'COUNT', 200)
    for _, entry in ipairs(entries) do
      local ms, sequence = idParts(entry[1])
      local kind, _, _, bytes, expires, peer, messageId = header(entry)
      if kind and sequence <= floor then expires = math.min(expires, ms + HISTORY_MS) end
      if kind and expires > now then
        if due == 0 or expires < due then due = expires end
        -- All later ones expire later.
        if S[IS_MIXED] == 0 then
          done = true
          break
        end
      else
        gone[#gone + 1] = entry[1]
        if kind and isMessage(kind) then messages, size = messages + 1, size + bytes end
        if kind and isMessage(kind) and sequence > S[FURTHEST] then
          pending, pendingBytes, expired = pending - 1, pendingBytes - bytes, expired + 1
          markLost(peer, messageId)
          if lostTo ~= sequence - 1 then
            if lostFrom then addRange('z', HAS_LOST, lostFrom, lostTo) end
            lostFrom = sequence
          end
          lostTo = sequence
          notices[#notices + 1] = cjson.encode({ sequence, peer, messageId })
        end
      end
    end
    if #entries < 200 then done = true else start = '(' .. entries[#entries][1] end
  until done
  delete(gone)
  if lostFrom then addRange('z', HAS_LOST, lostFrom, lostTo) end
  if expired > 0 then
    redis.call('HINCRBY', TOT, 'x', expired)
    forgetShares()
    owe('x' .. address .. gone[1], 0, 'expired', '', '[' .. table.concat(notices, ',') .. ']')
  end
  setPending(pending, pendingBytes)
  if redis.call('XLEN', MB) == 0 then
    emptyLog()
  else
    frontMoved(messages, size)
    setDue(due)
  end
end

-- As much of a damaged state as the log, the devices and the remembered messages tell. What only a device acknowledged that
-- nobody knows any more waits once more; what left the log counts no more.
local function rebuildState()
  S = {}
  for i = 1, STATE_SIZE do S[i] = 0 end
  local function reached(ms, sequence)
    S[LAST], S[LAST_MS] = math.max(S[LAST], sequence), math.max(S[LAST_MS], ms)
  end
  for _, device in ipairs(devicesIn(redis.call('HGET', ST, 'v'))) do
    reached(device[2], device[3])
    if device[3] > S[FURTHEST] then S[FURTHEST_MS], S[FURTHEST] = device[2], device[3] end
    S[CLAIMS] = math.max(S[CLAIMS], device[5])
  end
  local fields = redis.call('HGETALL', ST)
  for i = 1, #fields, 2 do
    local ms, sequence = string.match(fields[i + 1], '^(%d+)%-(%d+) ')
    if #fields[i] == 22 and ms then reached(tonumber(ms), tonumber(sequence)) end
  end
  S[HAS_LOST], S[HAS_EARLY] = redis.call('HEXISTS', ST, 'z'), redis.call('HEXISTS', ST, 'q')
  S[HAS_TTL] = redis.call('PTTL', ST) >= 0 and 1 or 0

  local start, isFirst, count, size, due, entries = '-', true, 0, 0, 0
  repeat
    entries = redis.call('XRANGE', MB, start, '+', 'COUNT', 200)
    for _, entry in ipairs(entries) do
      local ms, sequence = idParts(entry[1])
      local kind, ordinal, total, bytes, expires = header(entry)
      if kind then
        reached(ms, sequence)
        S[MESSAGES], S[BYTES] = ordinal, total
        if isFirst then
          S[MESSAGES_AT_TRIM], S[BYTES_AT_TRIM] = isMessage(kind) and ordinal - 1 or ordinal, total - bytes
          S[MESSAGES_AT_FURTHEST], S[BYTES_AT_FURTHEST], isFirst = S[MESSAGES_AT_TRIM], S[BYTES_AT_TRIM], false
        end
        if isMessage(kind) then count, size = count + 1, size + bytes end
        if sequence <= S[FURTHEST] then
          S[MESSAGES_AT_FURTHEST], S[BYTES_AT_FURTHEST] = ordinal, total
        elseif isMessage(kind) then
          S[PENDING], S[PENDING_BYTES] = S[PENDING] + 1, S[PENDING_BYTES] + bytes
        end
        if expires < S[LATEST_DUE] then S[IS_MIXED] = 1 else S[LATEST_DUE] = expires end
        if due == 0 or expires < due then due = expires end
      end
    end
    if #entries > 0 then start = '(' .. entries[#entries][1] end
  until #entries < 200
  S[HOLES], S[HOLE_BYTES] = S[MESSAGES] - S[MESSAGES_AT_TRIM] - count, S[BYTES] - S[BYTES_AT_TRIM] - size
  S[DUE] = -1
  setDue(due)
  redis.call('UNLINK', SHR)
  redis.call('HSET', ST, 's', cmsgpack.pack(S))
  redis.call('HINCRBY', TOT, 'r', 1)
  redis.log(redis.LOG_WARNING, 'relay: the state in ' .. ST .. ' could not be read and was made anew from the log')
end

-- Of any version: an older one left out places that came later, a newer one has places behind ours. Those stay as they are
-- whenever this one saves the state.
local function isState(state)
  if type(state) ~= 'table' or #state < STATE_LEAST then return false end
  for i = 1, #state do
    if type(state[i]) ~= 'number' then return false end
  end
  return true
end

local function loadState(packed)
  if not packed then
    S = {}
    for i = 1, STATE_SIZE do S[i] = 0 end
    -- Those who are blocked outlive the state.
    if redis.call('EXISTS', BLK, (string.gsub(MB, 'mb:{', 'gho:{', 1))) > 0 then redis.call('HSET', ST, 'b', 1) end
    return
  end
  local isRead, state = pcall(cmsgpack.unpack, packed)
  if not isRead or not isState(state) then return rebuildState() end
  S = state
  for i = #S + 1, STATE_SIZE do S[i] = 0 end
end
