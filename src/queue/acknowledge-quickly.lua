-- Moves a cursor where nothing is unusual: one device, nobody blocked, nothing due, nothing lost or read early, as between two people who are
-- both there. Whatever it does not finish is left as it was for acknowledge.lua, whose arguments and answers it has.
do
  local known = redis.call('HMGET', KEYS[2], 's', 'v', 'b')
  local isRead, S, devices = known[1] and known[2] and not known[3] and ARGV[9] == '' and HISTORY_MS == 0
  if isRead then isRead, S = pcall(cmsgpack.unpack, known[1]) end
  if isRead then isRead, devices = pcall(cmsgpack.unpack, known[2]) end
  -- What cannot be read, acknowledge.lua makes anew; what an older version left out, it adds.
  if isRead and type(S) == 'table' and #S >= STATE_SIZE and type(devices) == 'table' then
    local now = tonumber(ARGV[1])
    local device, ms, sequence, claim = devices[1], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
    local before, id = S[FURTHEST], ARGV[4] .. '-' .. ARGV[5]
    if
      #devices == 1
      and device[1] == ARGV[3]
      and (claim == 0 or claim == device[5])
      and sequence > before
      and now < S[DUE]
      and S[HAS_LOST] + S[HAS_EARLY] + S[HAS_SHARES] == 0
      and (ARGV[7] == '' or tonumber(string.match(ARGV[7], '%d+$')) >= sequence)
    then
      local isAll, messages, bytes = sequence == S[LAST] and ms == S[LAST_MS], S[MESSAGES], S[BYTES]
      if not isAll and S[HOLES] > 0 then
        -- The ordinals of a log with holes do not say how many messages are left.
        messages = nil
      elseif not isAll then
        local entry = redis.call('XRANGE', KEYS[1], id, id)[1]
        local ordinal, total = string.match(entry and entry[2][2] or '', '^[mjdrx](%d+) (%d+) %d+ %d+ %d+ 0x%x+ ')
        messages, bytes = tonumber(ordinal), tonumber(total)
      end
      if messages then
        local pending, pendingBytes = S[PENDING] - messages + S[MESSAGES_AT_FURTHEST], S[PENDING_BYTES] - bytes + S[BYTES_AT_FURTHEST]
        if isAll then pending, pendingBytes = 0, 0 end
        if pending < S[PENDING] then
          redis.call('HINCRBY', KEYS[3], 'k', S[PENDING] - pending)
          if pending == 0 then redis.call('HINCRBY', KEYS[3], 'b', -1) end
        end
        if isAll then
          redis.call('UNLINK', KEYS[1])
        else
          redis.call('XTRIM', KEYS[1], 'MINID', ARGV[4] .. '-' .. sequence + 1)
          -- What came later may be gone already.
          isAll = redis.call('EXISTS', KEYS[1]) == 0
          if isAll then messages, bytes = S[MESSAGES], S[BYTES] end
        end
        S[FURTHEST], S[FURTHEST_MS], S[MESSAGES_AT_FURTHEST], S[BYTES_AT_FURTHEST] = sequence, ms, messages, bytes
        S[PENDING], S[PENDING_BYTES], S[MESSAGES_AT_TRIM], S[BYTES_AT_TRIM] = pending, pendingBytes, messages, bytes
        device[2], device[3], device[4] = ms, sequence, now
        if isAll then
          S[DUE], S[LATEST_DUE], S[IS_MIXED], S[HAS_TTL], S[HOLES], S[HOLE_BYTES] = 0, 0, 0, 1, 0, 0
          redis.call('ZREM', KEYS[4], ARGV[2])
        end
        redis.call('HSET', KEYS[2], 's', cmsgpack.pack(S), 'v', cmsgpack.pack(devices))
        if isAll then redis.call('PEXPIRE', KEYS[2], STATE_TTL) end
        local owed = ''
        if ARGV[8] ~= '' then
          owed = 'd' .. ARGV[2] .. sequence
          local out, name, others = string.gsub(KEYS[3], 'tot:{', 'out:{', 1), owed, 0
          local head = string.format('%d', now + OWED_TO_CALLER_MS) .. ' {"kind":"delivered","at":' .. ARGV[1]
            .. ',"mailbox":"' .. ARGV[2] .. '","before":' .. before .. ',"silent":"","messages":'
          for group in string.gmatch(ARGV[8], '[^\n]+') do
            redis.call('HSET', out, name, head .. group .. '}')
            others = others + 1
            name = owed .. '.' .. others
          end
        end
        return { 'acknowledged', before, '', owed }
      end
    end
  end
end
