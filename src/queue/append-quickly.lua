-- Stores one message where nothing is unusual: not known yet, nobody blocked, nothing due, less than half full (or than what strangers may
-- send), no device far behind. Nearly
-- every message is one of those, and for them what mailbox.lua sets up would be half of the cost; so this comes before it, and
-- whatever it does not finish is left as it was for append.lua. Arguments and answers are those of append.lua.
do
  local digest = string.sub(redis.sha1hex(ARGV[3] .. ARGV[4]), 1, 22)
  local known = redis.call('HMGET', KEYS[2], 's', digest, 'b')
  local isRead, S = known[1] and not known[2] and not known[3]
  if isRead then isRead, S = pcall(cmsgpack.unpack, known[1]) end
  -- What cannot be read, append.lua makes anew.
  if isRead and type(S) == 'table' and #S == STATE_SIZE then
    local now, bytes, expires = tonumber(ARGV[1]), #ARGV[8], tonumber(ARGV[6])
    local messages, total, pending, pendingBytes = S[MESSAGES] + 1, S[BYTES] + bytes, S[PENDING] + 1, S[PENDING_BYTES] + bytes
    if
      (S[DUE] == 0 or now < S[DUE])
      and pending <= QUICK_MESSAGES
      and pendingBytes <= QUICK_BYTES
      and messages - S[MESSAGES_AT_TRIM] <= MAX_MESSAGES
      and total - S[BYTES_AT_TRIM] <= MAX_BYTES
      and S[HAS_SHARES] == 0
      and messages % 512 ~= 0
      and expires >= S[LATEST_DUE]
    then
      local ms = S[LAST_MS] > now and S[LAST_MS] or now
      local id = ms .. '-' .. S[LAST] + 1
      local value = string.sub(ARGV[5], 1, 1) .. messages .. ' ' .. total .. ' ' .. bytes .. ' ' .. ARGV[6] .. ' ' .. ARGV[7]
        .. ' ' .. ARGV[3] .. ' ' .. ARGV[4] .. '\n' .. ARGV[8]
      if not redis.pcall('XADD', KEYS[1], id, 'e', value).err then
        S[LAST], S[LAST_MS], S[MESSAGES], S[BYTES] = S[LAST] + 1, ms, messages, total
        S[PENDING], S[PENDING_BYTES], S[LATEST_DUE] = pending, pendingBytes, expires
        if pending == 1 then redis.call('HINCRBY', KEYS[3], 'b', 1) end
        if S[DUE] == 0 then
          S[DUE], S[HAS_TTL] = expires, 0
          redis.call('PERSIST', KEYS[2])
          redis.call('ZADD', KEYS[4], expires, ARGV[2])
        end
        redis.call('HINCRBY', KEYS[3], 'a', 1)
        redis.call('HSET', KEYS[2], 's', cmsgpack.pack(S), digest, id .. ' ' .. ARGV[5] .. ' ')
        local others = redis.call('PUBSUB', 'SHARDNUMSUB', KEYS[1])[2] - string.sub(ARGV[9], 1, 1)
        if others <= 0 then return id end
        redis.call('SPUBLISH', KEYS[1], string.sub(ARGV[9], 2) .. 'e' .. id .. ' ' .. value)
        return { id, others }
      end
    end
  end
end
