-- Which keys wrk asks for, and what it found, as one line of JSON. Told by the environment:
--   BENCH_KEYS     one (the URL given), zipf, uniform, or each (one after another, round and round)
--   BENCH_BEFORE, BENCH_AFTER   the parts of the path around the key's number of seven digits
--   BENCH_COUNT    keys from number 0 on      BENCH_EXPONENT  of zipf's law
--   BENCH_START    with `each`, the number to begin with
--   BENCH_STOP     with `each`, the number after the last: from there on that last key again and again

local keys = os.getenv("BENCH_KEYS") or "one"
local before, after = os.getenv("BENCH_BEFORE"), os.getenv("BENCH_AFTER")
local count = tonumber(os.getenv("BENCH_COUNT") or "1")
local heads = {}

-- Heads are made once a key: what the load costs is taken from nobody else.
local function head(number)
  local made = heads[number]
  if not made then
    made = wrk.format("GET", before .. string.format("%07d", number) .. after)
    heads[number] = made
  end
  return made
end

-- The same numbers in every run: a generator of our own (Park and Miller's), 2^31 - 1 long.
local seed = 20240229
local function random()
  seed = seed * 16807 % 2147483647
  return (seed - 1) / 2147483646
end

local drawn, length, at = {}, 500000, 0

local function draw_zipf(exponent)
  local sums, sum = {}, 0
  for rank = 1, count do
    sum = sum + rank ^ -exponent
    sums[rank] = sum
  end
  for i = 1, length do
    local wanted, low, high = random() * sum, 1, count
    while low < high do
      local middle = math.floor((low + high) / 2)
      if sums[middle] < wanted then low = middle + 1 else high = middle end
    end
    drawn[i] = low - 1
  end
end

if keys == "zipf" or keys == "uniform" then
  function init()
    draw_zipf(keys == "zipf" and tonumber(os.getenv("BENCH_EXPONENT")) or 0)
    for i = 1, length do head(drawn[i]) end
    -- Each run begins elsewhere in the sequence, or a cache would only see its beginning.
    at = tonumber(os.getenv("BENCH_START") or "0") % length
  end
  function request()
    at = at % length + 1
    return heads[drawn[at]]
  end
elseif keys == "each" then
  local number = tonumber(os.getenv("BENCH_START") or "0")
  local stop = tonumber(os.getenv("BENCH_STOP") or "0")
  function request()
    local made = wrk.format("GET", before .. string.format("%07d", number) .. after)
    if stop == 0 then
      number = (number + 1) % count
    elseif number < stop - 1 then
      number = number + 1
    end
    return made
  end
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '\n{"requests":%d,"micros":%d,"bytes":%d,"badStatus":%d,"socketErrors":%d,"p50Micros":%d,"p99Micros":%d}\n',
    summary.requests, summary.duration, summary.bytes, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
