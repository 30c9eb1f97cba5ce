# The lab: libvmmu's hosted client.
LAB_SRC := $(wildcard lab/*.c)
