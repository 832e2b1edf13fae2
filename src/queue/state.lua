-- KEYS[1] st -> {last, its ms, dropped, furthest, its ms, pending, due, mean bytes of an entry} · nil · 'damaged'
local packed = redis.call('HGET', KEYS[1], 's')
if not packed then return false end
local isRead, S = pcall(cmsgpack.unpack, packed)
if not isRead or type(S) ~= 'table' or #S < STATE_LEAST then return 'damaged' end
for i = 1, STATE_LEAST do
  if type(S[i]) ~= 'number' then return 'damaged' end
end
local entries = S[MESSAGES] - S[MESSAGES_AT_TRIM] - S[HOLES]
local mean = entries > 0 and math.ceil((S[BYTES] - S[BYTES_AT_TRIM] - S[HOLE_BYTES]) / entries) or 0
return { S[LAST], S[LAST_MS], S[DROPPED], S[FURTHEST], S[FURTHEST_MS], S[PENDING], S[DUE], mean }
