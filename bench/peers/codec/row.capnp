# The values of the codec benchmark for Cap'n Proto.
@0xb3a9c1e7d2f40586;

struct Row {
  id @0 :Int64;
  name @1 :Text;
  value @2 :Float64;
  s @3 :Int64;
  ns @4 :UInt32;
  offset @5 :Int32;
}

struct Rows {
  rows @0 :List(Row);
}
