-- How each machine was between two times, for as long as its past is filled (stretches.py, readings.py).
-- Each value is that of a whole stretch; `_from`, `_to` and `_tau` (seconds) are those of a temperature that settles, `_rate` is by the
-- second.
CREATE UNLOGGED TABLE telemetry.twin_stretches (
  node text, begin timestamptz, seconds integer, mode text, throttle double precision, cores integer, has_loads boolean,
  cpu double precision, cpu_from double precision, cpu_to double precision, cpu_tau double precision, watts double precision, has_watts boolean, clock double precision,
  memory double precision, memory_total double precision, sensors text[], offsets double precision[], mounts text[], drive text, device text, speed double precision,
  cards integer, card_name text, gpu double precision, gpu_from double precision, gpu_to double precision, gpu_tau double precision, gpu_watts double precision,
  gpu_limit double precision, gpu_clock double precision, gpu_memory_clock double precision, gpu_slowdown double precision, vram double precision, vram_total double precision,
  joules double precision, joules_rate double precision, received double precision, receive_rate double precision, sent double precision, send_rate double precision,
  read double precision, read_rate double precision, written double precision, write_rate double precision, free double precision, free_rate double precision, disk double precision
);
