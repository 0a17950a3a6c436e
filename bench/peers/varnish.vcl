# Varnish in front of webdis. Words in {{ }} are filled in by bench/peers/varnish.ts.
vcl 4.1;

backend webdis {
  .host = "127.0.0.1";
  .port = "{{backendPort}}";
}

sub vcl_backend_response {
  # webdis says nothing about how long an answer may be kept.
  set beresp.ttl = {{ttlSeconds}}s;
  # An old answer while a new one is fetched would make the comparison of expiries uneven.
  set beresp.grace = 0s;
  set beresp.keep = 0s;
  if (beresp.status != 200) {
    set beresp.uncacheable = true;
  }
}
