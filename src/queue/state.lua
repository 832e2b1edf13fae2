-- KEYS[1] st -> {last, its ms, dropped, furthest, its ms, pending, due, mean bytes of an entry} · nil
local packed = redis.call('HGET', KEYS[1], 's')
if not packed then return false end
local S = cmsgpack.unpack(packed)
local entries = S[MESSAGES] - S[MESSAGES_AT_TRIM]
local mean = entries > 0 and math.ceil((S[BYTES] - S[BYTES_AT_TRIM]) / entries) or 0
return { S[LAST], S[LAST_MS], S[DROPPED], S[FURTHEST], S[FURTHEST_MS], S[PENDING], S[DUE], mean }
