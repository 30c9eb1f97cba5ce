# What runs inside: a Linux userland, and small bare-metal Multiboot guests.
GUEST_SRC := $(wildcard guest/*.c)
GUEST_OBJ := $(GUEST_SRC:%.c=$(O)/%.o)
BUSYBOX   ?= /bin/busybox

$(O)/guest/%.o: guest/%.c
	@mkdir -p $(@D)
	$(CC) $(HOST_CFLAGS) -fno-pie -c $< -o $@
$(O)/guest/init: $(GUEST_OBJ)
	$(CC) -static -no-pie $^ -o $@

# Names sorted and times fixed: the same input packs to the same image.
$(O)/guest/initrd.cpio.gz: $(O)/guest/init $(BUSYBOX)
	@rm -rf $(O)/guest/root
	@mkdir -p $(O)/guest/root/bin $(O)/guest/root/dev
	cp $(O)/guest/init $(O)/guest/root/init
	strip $(O)/guest/root/init
	cp $(BUSYBOX) $(O)/guest/root/bin/busybox
	ln -s busybox $(O)/guest/root/bin/sh
	find $(O)/guest/root -exec touch -h -d @0 {} +
	cd $(O)/guest/root && find . | LC_ALL=C sort | \
	 cpio --quiet --reproducible -o -H newc -R 0:0 | \
	 gzip -9n >../initrd.cpio.gz
-include $(GUEST_OBJ:.o=.d)
all: guest
guest: $(O)/guest/initrd.cpio.gz ## pack the guest image and test guests
.PHONY: guest
