-- What blocked senders believe to be waiting: of each message a digest and when it would expire, never its content. Put behind
-- mailbox.lua where it is needed, and opened only where field b of the state says that there may be any.
--
-- gho  hash  digest -> "<fingerprint> <number> <expires ms> <bytes> <sender> <messageId>" while its time has not come,
--            "<fingerprint> <number>" afterwards, of the last 512; due: when the first one's time comes; n: the last number;
--            sender -> "<messages> <bytes>" of those whose time has not come, and * of all of them
-- ghx  zset  of the bucket: address -> when the first of its ghosts is due
local function openGhosts()
  local GHO, GHX = string.gsub(MB, 'mb:{', 'gho:{', 1), string.gsub(EXP, 'exp:{', 'ghx:{', 1)
  local ghosts = {}

  function ghosts.isBlocked(sender) return redis.call('ZSCORE', BLK, sender) and true or false end

  function ghosts.load(whose)
    local count, bytes = string.match(redis.call('HGET', GHO, whose) or '0 0', '(%S+) (%S+)')
    return tonumber(count), tonumber(bytes)
  end

  local function change(sender, messages, amount)
    for _, whose in ipairs({ sender, '*' }) do
      local count, bytes = ghosts.load(whose)
      if count + messages <= 0 then
        redis.call('HDEL', GHO, whose)
      else
        redis.call('HSET', GHO, whose, string.format('%d %d', count + messages, math.max(0, bytes + amount)))
      end
    end
  end

  local function setGhostDue(ms)
    if ms then
      redis.call('HSET', GHO, 'due', string.format('%d', ms))
      redis.call('ZADD', GHX, ms, address)
    else
      redis.call('HDEL', GHO, 'due')
      redis.call('ZREM', GHX, address)
    end
  end

  local function parse(value)
    local print, number, rest = string.match(value or '', '^(%S+) ?(%d*) ?(.*)$')
    local expires, bytes, sender, messageId = string.match(rest or '', '^(%d+) (%d+) (0x%x+) (.*)$')
    return print, tonumber(number) or 0, tonumber(expires), tonumber(bytes), sender, messageId
  end

  -- Digest by digest, with what is known of it.
  local function each(visit)
    local fields = redis.call('HGETALL', GHO)
    for i = 1, #fields, 2 do
      if #fields[i] == 22 then visit(fields[i], parse(fields[i + 1])) end
    end
  end

  local function settle(digest, print, number, bytes, sender)
    redis.call('HSET', GHO, digest, print .. ' ' .. number)
    change(sender, -1, -bytes)
  end

  -- Nobody is blocked any more and nothing is to be told: the mailbox is like every other again.
  local function release()
    if redis.call('HEXISTS', GHO, '*') == 1 or redis.call('EXISTS', BLK) == 1 then return end
    redis.call('UNLINK', GHO)
    redis.call('ZREM', GHX, address)
    redis.call('HDEL', ST, 'b')
  end

  function ghosts.fingerprintOf(digest) return (parse(redis.call('HGET', GHO, digest))) end

  function ghosts.add(digest, print, expires, bytes, sender, messageId)
    local number = redis.call('HINCRBY', GHO, 'n', 1)
    local value = string.format('%s %d %d %d %s %s', print, number, expires, bytes, sender, messageId)
    redis.call('HSET', GHO, digest, value)
    change(sender, 1, bytes)
    local due = tonumber(redis.call('HGET', GHO, 'due'))
    if not due or expires < due then setGhostDue(expires) end
    redis.call('PEXPIRE', GHO, STATE_TTL)
    if number % 512 ~= 0 or redis.call('HLEN', GHO) <= 1024 then return end
    each(function(old, _, age, waits)
      if not waits and age <= number - 512 then redis.call('HDEL', GHO, old) end
    end)
  end

  -- Its sender is told otherwise what became of it.
  function ghosts.cancel(digest)
    local print, number, expires, bytes, sender = parse(redis.call('HGET', GHO, digest))
    if expires then settle(digest, print, number, bytes, sender) end
    release()
  end

  -- Their senders are told nothing.
  function ghosts.dropAll()
    each(function(digest, print, number, expires, bytes, sender)
      if expires then settle(digest, print, number, bytes, sender) end
    end)
    setGhostDue(nil)
    release()
  end

  -- As where the oldest message gives way: of that sender where one is named.
  function ghosts.dropOldest(of)
    local found, lowest
    each(function(digest, print, number, expires, bytes, sender)
      if expires and (not of or sender == of) and (not lowest or number < lowest) then
        found, lowest = { digest, print, number, bytes, sender }, number
      end
    end)
    if found then settle(unpack(found)) end
    return found ~= nil
  end

  -- Those whose time has come: their senders are owed `expired`, as by any mailbox.
  function ghosts.expire()
    local due = tonumber(redis.call('HGET', GHO, 'due'))
    if not due then return redis.call('ZREM', GHX, address) end
    if now < due then return end
    local notices, following, first = {}, nil, nil
    each(function(digest, print, number, expires, bytes, sender, messageId)
      if expires and expires <= now then
        settle(digest, print, number, bytes, sender)
        notices[#notices + 1] = cjson.encode({ 1, sender, messageId })
        first = first or number
      elseif expires and (not following or expires < following) then
        following = expires
      end
    end)
    setGhostDue(following)
    if first then owe('g' .. address .. first, 0, 'expired', '', '[' .. table.concat(notices, ',') .. ']') end
    release()
  end

  return ghosts
end
