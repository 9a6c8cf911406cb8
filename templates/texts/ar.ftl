# الموافقة
consent-title = هل تسمح بالوصول؟
consent-heading = يطلب { $app } الوصول إلى { $site }
described-at = التطبيق غير مسجَّل هنا. مصدره { $place }.
signed-in-as = تم تسجيل الدخول باسم
consent-list = إذا سمحت بذلك، يمكن للتطبيق:
consent-ticks = حدّد ما يُسمح له به إضافةً إلى ذلك:
consent-agent = هذا وكيل آلي: يتصرف من تلقاء نفسه، ولا أحد ينظر في كل خطوة من خطواته.
consent-registered = سجّل هذا التطبيق نفسه بنفسه، ولم يتحقق أحد من اسمه.
allow = السماح
deny = الرفض
switch-user = تسجيل الدخول بحساب آخر
goes-to = ستتم إعادتك إلى { $place }.

# تسجيل الدخول من جديد
again-title = تسجيل الدخول من جديد
again-why = يطلب { $app } أن تسجّل الدخول من جديد قبل المتابعة.
again-button = تسجيل الدخول من جديد
cancel = إلغاء

# تسجيل الدخول
login-title = تسجيل الدخول إلى { $site }
login-why = يطلب { $app } أن تسجّل الدخول.
login-user = البريد الإلكتروني أو اسم المستخدم
login-password = كلمة المرور
login-button = تسجيل الدخول
login-elsewhere = طرق أخرى لتسجيل الدخول، أو نسيت كلمة المرور
login-wrong = اسم المستخدم أو كلمة المرور غير صحيحة.
login-too-many =
    { $count ->
        [zero] محاولات فاشلة كثيرة. حاول مرة أخرى الآن.
        [one] محاولات فاشلة كثيرة. حاول مرة أخرى بعد دقيقة.
        [two] محاولات فاشلة كثيرة. حاول مرة أخرى بعد دقيقتين.
        [few] محاولات فاشلة كثيرة. حاول مرة أخرى بعد { $count } دقائق.
        [many] محاولات فاشلة كثيرة. حاول مرة أخرى بعد { $count } دقيقة.
       *[other] محاولات فاشلة كثيرة. حاول مرة أخرى بعد { $count } دقيقة.
    }
login-unavailable = تسجيل الدخول غير ممكن حاليًا. حاول مرة أخرى بعد بضع دقائق.

# تسجيل الخروج
logout-title = هل تريد تسجيل الخروج من { $site }؟
logout-why = يطلب { $app } أن تسجّل الخروج.
logout-button = تسجيل الخروج
logout-stay = البقاء
logged-out-title = تم تسجيل خروجك
logged-out-text = يمكنك إغلاق هذه الصفحة الآن.
stayed-title = ما زال دخولك مسجّلًا
stayed-text = لم يتغيّر شيء. يمكنك إغلاق هذه الصفحة الآن.

# الأخطاء
error-title = لا يمكن متابعة هذا الطلب
error-text = أرسل التطبيق طلبًا لا يمكن الرد عليه. ارجع إلى التطبيق وحاول مرة أخرى؛ وإذا تكرر ذلك فأخبر القائمين عليه.
error-details = للقائمين عليه:

# العودة إلى التطبيق
continue-title = متابعة
continue-button = المتابعة إلى التطبيق

# معاني الأذونات
scope-all = فعل كل ما يُسمح لك به على { $site }
scope-erp-read = رؤية كل ما يُسمح لك برؤيته على { $site }
scope-erp-write = إنشاء السجلات وتعديلها وحذفها على { $site } في حدود ما يُسمح لك به
scope-openid = رؤية اسمك وبريدك الإلكتروني وصورتك وأدوارك
scope-identity = التعرّف عليك
scope-profile = الاطلاع على اسمك وصورتك وبقية بيانات ملفك الشخصي (مثل الجنس وتاريخ الميلاد واللغة والمنطقة الزمنية)
scope-email = رؤية بريدك الإلكتروني
scope-phone = رؤية رقم هاتفك
scope-address = رؤية عنوانك البريدي
scope-roles = رؤية أدوارك
scope-offline = الاحتفاظ بالوصول عندما لا يكون دخولك مسجّلًا
scope-other = استخدام الإذن «{ $scope }» نيابةً عنك
documents = { $actions } { $doctype }
all-documents = المستندات من كل نوع
call = استدعاء الطريقة { $method }
read = قراءة
create = إنشاء
change = تعديل
delete = حذف

# القوائم
list-next = { $first } و{ $second }
list-last = { $first } و{ $second }
phrases = { $first }؛ { $second }
# Connected applications
apps-title = التطبيقات المتصلة
apps-intro = يمكن لهذه التطبيقات استخدام { $site } نيابةً عنك:
apps-none = لا يمكن لأي تطبيق استخدام { $site } نيابةً عنك.
apps-since = الوصول منذ { $date }
apps-used = آخر استخدام في { $date }
apps-unused = لم يُستخدم مؤخرًا
apps-only-consent = ليس لديه وصول حاليًا، وسيحصل عليه مجددًا دون أن يسألك.
apps-end = إنهاء وصول { $app }
apps-hidden =
    { $count ->
        [zero] لا توجد تطبيقات أخرى.
        [one] يوجد تطبيق آخر غير معروض.
        [two] يوجد تطبيقان آخران غير معروضين.
        [few] توجد { $count } تطبيقات أخرى غير معروضة.
        [many] يوجد { $count } تطبيقًا آخر غير معروض.
       *[other] يوجد { $count } تطبيق آخر غير معروض.
    }

# جهاز
device-title = ربط جهاز
device-intro = أدخل الرمز الذي يعرضه لك الجهاز أو البرنامج.
device-code = الرمز
device-button = متابعة
device-wrong = هذا الرمز خاطئ أو انتهت صلاحيته. انظر إلى الجهاز مرة أخرى.
device-check = لا تسمح بذلك إلا إذا بدأته بنفسك وكان جهازك يعرض هذا الرمز:
device-allowed-title = أصبح للجهاز حق الوصول
device-allowed-text = عُد إلى الجهاز: سيتابع من تلقاء نفسه. يمكنك إغلاق هذه الصفحة الآن.
device-denied-title = ليس للجهاز حق الوصول
device-denied-text = لم يُمنح الجهاز شيئًا. يمكنك إغلاق هذه الصفحة الآن.
